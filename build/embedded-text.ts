import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "esbuild";

/**
 * An esbuild plugin that puts texts, such as shell scripts, into a bundle: a module reads a file beside it by the expression `call`, and
 * the bundle contains the text instead. Not by `import … with { type: "text" }`: Node 26 still needs a flag for it. Any other use of
 * import.meta fails the build, for a bundle in CommonJS has none; except in the manifests' module, which reads a constant of the build.
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
