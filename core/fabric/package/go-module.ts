import { FabricError } from "../../error.ts";

/** A module, at a version; of every version where it is "". */
export interface GoModule {
  readonly path: string;
  readonly version: string;
}

/** What stands in go.mod for a module (go.dev/ref/mod#go-mod-file-replace). */
export interface GoReplace {
  readonly old: GoModule;
  /** Its version is "" where its path is a folder. */
  readonly by: GoModule;
}

/** What packaging reads of a go.mod, and of a go.work, which has the same language. */
export interface GoModFile {
  readonly module: string | undefined;
  /** "1.22"; undefined where it does not say. */
  readonly go: string | undefined;
  readonly require: readonly GoModule[];
  readonly replace: readonly GoReplace[];
  /** Of a go.work: folders of its modules. */
  readonly use: readonly string[];
}

/** Reads a go.mod or a go.work: lines and blocks of directives (go.dev/ref/mod#go-mod-file-lexical). Lines that are none are passed over. */
export function readGoMod(text: string): GoModFile {
  const lines = directives(text);
  const of = (name: string) => lines.filter(([verb]) => verb === name).map(([, ...words]) => words);
  return {
    module: of("module")[0]?.[0],
    go: of("go")[0]?.[0],
    require: of("require").flatMap(([path, version]) => (path && version ? [{ path, version }] : [])),
    replace: of("replace").flatMap((words) => replaceIn(words) ?? []),
    use: of("use").flatMap(([folder]) => folder ?? []),
  };
}

/** The path of a module. Throws `usage` where a go.mod has none. */
export function goModulePath({ module }: GoModFile, file: string): string {
  if (module !== undefined) return module;
  throw new FabricError("usage", `expected a module line in ${file}, found none`);
}

/** A folder rather than a module (cmd/go/internal/modfile: IsDirectoryPath). */
export const isFolderPath = (path: string): boolean => /^(\.{1,2}$|\.{1,2}\/|\/|[A-Za-z]:[\\/])/.test(path);

export const describeModule = ({ path, version }: GoModule): string => (version === "" ? path : `${path} ${version}`);

/** What replaces a module: at its version, else at all (cmd/go/internal/modload/modfile.go, Replacement). */
export const replacementOf = (replace: readonly GoReplace[], { path, version }: GoModule): GoModule | undefined =>
  (
    replace.find(({ old }) => old.path === path && old.version === version) ??
    replace.find(({ old }) => old.path === path && old.version === "")
  )?.by;

function directives(text: string): readonly (readonly string[])[] {
  let block: string | undefined;
  return text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .flatMap((line) => {
      const words = wordsOf(line);
      const [verb, open] = words;
      if (verb === undefined) return [];
      if (block !== undefined) {
        if (verb !== ")") return [[block, ...words]];
        block = undefined;
        return [];
      }
      if (open !== "(") return [words];
      block = verb;
      return [];
    });
}

/** Words, in quotes of either kind or without; a comment ends them. */
function wordsOf(line: string): readonly string[] {
  const words: string[] = [];
  for (const [text, double, back] of line.matchAll(/"([^"]*)"|`([^`]*)`|\/\/.*|[()]|(?:(?!\/\/)[^\s"`()])+/g)) {
    if (text.startsWith("//")) break;
    words.push(double ?? back ?? text);
  }
  return words;
}

function replaceIn(words: readonly string[]): GoReplace | undefined {
  const arrow = words.indexOf("=>");
  const [path, version = ""] = words.slice(0, Math.max(arrow, 0));
  const [byPath, byVersion = ""] = words.slice(arrow + 1);
  if (arrow < 0 || path === undefined || byPath === undefined) return undefined;
  return { old: { path, version }, by: { path: byPath, version: byVersion } };
}
