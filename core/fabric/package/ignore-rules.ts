import { join, posix } from "node:path";
import ignore from "ignore";
import { FabricError } from "../../error.ts";
import { readFileIfAny } from "./chaincode-folder.ts";
import { ruleOf } from "./package-rules.ts";
import type { Judge } from "./sieve.ts";

/** Ignore files that have a say, with the rule about them. */
const files = {
  ".fabricignore": ruleOf(".fabricignore"),
  ".npmignore": ruleOf(".npmignore, outside node_modules"),
} as const;

export type IgnoreFile = keyof typeof files;

/**
 * What the ignore file of a folder leaves out; undefined where there is none. Its language is that of Git: IBM's extension for Visual Studio
 * Code, which introduced `.fabricignore`, reads it by the same library, and npm documents it for `.npmignore`
 * (https://docs.npmjs.com/cli/using-npm/developers#keeping-files-out-of-your-package). `below` is where the folder is in what is packed.
 */
export async function ignoreFileJudge(folder: string, name: IgnoreFile, below = ""): Promise<Judge | undefined> {
  const text = (await readFileIfAny(join(folder, name)))?.toString("utf8");
  if (text === undefined) return undefined;
  const file = posix.join(below, name);
  const rules = readRules(text, file);
  const prefix = below === "" ? "" : `${below}/`;
  return (path, kind) => {
    if (!path.startsWith(prefix) || path === below) return undefined;
    const own = path.slice(prefix.length);
    const { rule } = rules.test(kind === "folder" ? `${own}/` : own);
    return rule && { rule: rule.pattern, file, line: Number(rule.mark), why: files[name].why };
  };
}

function readRules(text: string, file: string): ReturnType<typeof ignore> {
  const rules = ignore();
  for (const [index, line] of text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .entries()) {
    try {
      rules.add({ pattern: line, mark: String(index + 1) });
    } catch (cause) {
      throw new FabricError("usage", `expected a pattern in line ${index + 1} of ${file}, found ${line}`, { cause });
    }
  }
  return rules;
}

/** Leaves paths inside node_modules to themselves, as npm does (npm/npm-packlist, lib/index.js). */
export const outsideNodeModules =
  (judge: Judge): Judge =>
  (path, kind, origin) =>
    /(^|\/)node_modules(\/|$)/.test(path) ? undefined : judge(path, kind, origin);
