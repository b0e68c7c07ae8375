import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname } from "node:path";
import { Script } from "node:vm";

/** Where what V8 compiled of a program lies: beside it. */
export function cacheOf(program: string): string {
  return `${program}.cache`;
}

/** A CommonJS program, compiled as far as what is given says, and otherwise as it runs. */
export interface Compilation {
  readonly script: Script;
  /** Whether V8 took what was given; undefined when nothing was. */
  readonly taken: boolean | undefined;
  readonly run: () => void;
}

/**
 * Compiles a program. V8 takes what another process compiled only with the same V8, flags and length of source (code-serializer.h,
 * SanityCheck), and otherwise compiles as usual. Node's own compile cache holds what is compiled while a module loads;
 * this one holds every function that had run when it was made, which are most of those that a start calls: 30 ms of CPU, of 170.
 */
export function compilationOf(program: string, cachedData: Buffer | undefined): Compilation {
  // As Node wraps a module; the bundle has ASCII only, of which V8 keeps a byte a character.
  const source = `(function (require, __filename, __dirname) {${readFileSync(program, "latin1")}\n})`;
  const filename = basename(program);
  const script = new Script(source, { filename, ...(cachedData === undefined ? {} : { cachedData }) });
  const main = (): void => {
    const start = script.runInThisContext() as (require: NodeJS.Require, file: string, directory: string) => void;
    start(createRequire(program), program, dirname(program));
  };
  return { script, taken: cachedData === undefined ? undefined : script.cachedDataRejected === false, run: main };
}

/** What was compiled of a program, where there is something to read. */
export function readCache(program: string): Buffer | undefined {
  try {
    return readFileSync(cacheOf(program));
  } catch {
    return undefined;
  }
}
