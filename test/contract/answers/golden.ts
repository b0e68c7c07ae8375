import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Column } from "../column.ts";
import { allowing, differences, type Difference } from "./differences.ts";
import type { Json } from "./json.ts";

/** Writes what a real node answered; a case without answers has no file. */
export function record(golden: string, { line, release }: Column, name: string, answered: Json): void {
  if (release === undefined) throw new Error("expected a real node to record, found the emulator");
  const path = fileOf(golden, line, name);
  if (isEmpty(answered)) return rmSync(path, { force: true });
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(answered, undefined, 2)}\n`);
}

/** What a column has to answer in a case of a file of tests. Throws where nobody has recorded it, and for a difference that has gone. */
export function expectedOf(
  golden: string,
  { line, release }: Column,
  name: string,
  answered: Json,
  testFile: string,
  known: readonly Difference[] = differences,
): Json {
  const path = fileOf(golden, line, name);
  if (!existsSync(path)) {
    if (isEmpty(answered)) return answered;
    throw new Error(
      `expected ${fromRoot(path)}, which has what real Fabric ${line} answers in this case; where there is one, type: ` +
        `RECORD=1 npx vitest run --project contract ${fromRoot(testFile)}`,
    );
  }
  const recorded = JSON.parse(readFileSync(path, "utf8")) as Json;
  const allowed = release === undefined ? known.filter(({ recording }) => recording === name) : [];
  return allowing(allowed, recorded, answered);
}

const fileOf = (golden: string, line: string, name: string): string => join(golden, line, `${name}.json`);

const fromRoot = (path: string): string => relative(join(import.meta.dirname, "../../.."), path);

const isEmpty = (answered: Json): boolean => Array.isArray(answered) && answered.length === 0;
