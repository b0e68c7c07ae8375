import { join } from "node:path";
import dockerignore from "@balena/dockerignore";
import ignore from "ignore";
import { readFileIfAny, type PathFilter } from "./chaincode-folder.ts";

/** The rules of a folder's ignore files. */
export interface IgnoreRules {
  /** Files that were read, for people. */
  readonly sources: readonly string[];
  /** Whether something is left out. */
  readonly excludes: PathFilter;
}

/** The ignore files that count, each with a reader of its pattern language. */
const readers = {
  /** Docker's language: patterns begin at the root, and a later "!" brings back a file below an ignored folder. */
  ".dockerignore": (text: string): PathFilter => {
    const rules = dockerignore.default().add(text);
    const negated = /^\s*!/m.test(text);
    return (path, kind) => (kind === "folder" ? !negated && rules.ignores(path) : rules.ignores(path));
  },
  /** Git's language, as npm documents it (https://docs.npmjs.com/cli/using-npm/developers#keeping-files-out-of-your-package). */
  ".npmignore": (text: string): PathFilter => {
    const rules = ignore().add(text);
    return (path, kind) => rules.ignores(kind === "folder" ? `${path}/` : path);
  },
} as const;

/** Reads the ignore files of a folder. package.json, go.mod and META-INF are never left out: a package needs them. */
export async function readIgnoreRules(folder: string, names: readonly (keyof typeof readers)[]): Promise<IgnoreRules> {
  const found = await Promise.all(
    names.map(async (name) => {
      const text = (await readFileIfAny(join(folder, name)))?.toString("utf8");
      return text === undefined ? [] : [{ name, excludes: readers[name](text) }];
    }),
  );
  const rules = found.flat();
  return {
    sources: rules.map(({ name }) => name),
    excludes: (path, kind) => !isNeeded(path) && rules.some((rule) => rule.excludes(path, kind)),
  };
}

const isNeeded = (path: string): boolean => /^(package\.json|go\.mod|META-INF(\/.*)?)$/.test(path);
