import type { Plugin } from "esbuild";

/**
 * An esbuild plugin that imports node:http and node:https the way CommonJS does. An ECMAScript import reads every export of a built-in
 * module at once, and of node:http three are getters that load all of Node's fetch and WebSocket (lib/http.js, lazyUndici): a
 * fifth of the time in which the webhook starts.
 */
export const httpBuiltin: Plugin = {
  name: "http-builtin",
  setup(build) {
    build.onResolve({ filter: /^(node:)?https?$/ }, ({ path, kind }) =>
      kind === "import-statement" ? { path: path.replace(/^node:/, ""), namespace: "http-builtin" } : undefined,
    );
    build.onLoad({ filter: /^https?$/, namespace: "http-builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule("node:${path}");`,
      loader: "js",
    }));
  },
};
