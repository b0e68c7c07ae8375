import type { Plugin } from "esbuild";

/**
 * An esbuild plugin that imports Node's own modules the way CommonJS does. An ECMAScript import reads every export of a built-in module
 * at once, also those that are getters and load more: of node:http all of Node's fetch and WebSocket (lib/http.js, lazyUndici), of
 * node:crypto Web Crypto, of node:util and node:net what few use. node:http alone cost a start
 * of the webhook 40 ms of CPU.
 */
export const builtins: Plugin = {
  name: "builtins",
  setup(build) {
    build.onResolve({ filter: /^(?:node:)?[a-z_]+(?:\/[a-z]+)?$/ }, ({ path, kind }) => {
      const name = path.replace(/^node:/, "");
      const found = kind === "import-statement" && process.getBuiltinModule(name) !== undefined;
      return found ? { path: name, namespace: "builtin" } : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule("node:${path}");`,
      loader: "js",
    }));
  },
};
