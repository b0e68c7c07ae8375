import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "esbuild";

/**
 * An esbuild plugin that puts texts into a bundle, such as programs for a shell: a module reads the file beside it, in the words of
 * `call`, and in the bundle stands what was read. Not by `import … with { type: "text" }`, for which Node 26 still wants a flag; and a
 * bundle in CommonJS has no import.meta. A module of ours that uses import.meta for anything else ends the build, but for the manifests, which
 * are a constant of the build.
 */
export const embeddedText: Plugin = {
  name: "embedded-text",
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, "utf8");
      const contents = embedTexts(source, (name) => readFileSync(join(dirname(path), name), "utf8"));
      if (/\bimport\.meta\b/.test(contents) && !path.endsWith(manifests))
        return { errors: [{ text: `expected import.meta only in ${call}`, location: { file: path } }] };
      return contents === source ? undefined : { contents, loader: "ts" };
    });
  },
};

const manifests = join("core", "installation", "manifests.ts");
const call = 'readFileSync(new URL("./NAME", import.meta.url), "utf8")';

/** A module with the texts themselves in place of the calls that read them. `read` is told a name beside the module. */
export function embedTexts(source: string, read: (name: string) => string): string {
  const written = /\breadFileSync\(\s*new URL\("\.\/([^"]+)", import\.meta\.url\),\s*"utf8",?\s*\)/g;
  return source.replaceAll(written, (_, name: string) => JSON.stringify(read(name)));
}
