import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { FabricError, messageOf } from "../../core/error.ts";
import type { Terminal } from "./io.ts";
import { visible } from "./visible.ts";

/** How often a person may mistype. */
const attempts = 3;

/**
 * Passphrases of encrypted keys: those in the first lines of the files that were named, else what is typed on the terminal, which is not
 * shown. Each file is read once, when it is needed: a descriptor can be read only once. Throws `usage` with neither.
 */
export function passphrasesFrom(terminal: Terminal, files: readonly string[] | undefined) {
  let read: Promise<readonly string[]> | undefined;
  return async function* (key: string): AsyncGenerator<string> {
    if (files !== undefined) {
      yield* await (read ??= Promise.all(files.map(passphraseIn)));
      return;
    }
    for (let attempt = 1; attempt <= attempts; attempt += 1) yield ask(terminal, key, attempt > 1);
  };
}

/** Throws `usage`, never with what is in the file. */
async function passphraseIn(file: string): Promise<string> {
  const [line] = (await textOf(file)).split(/\r?\n/);
  if (line) return line;
  throw new FabricError("usage", `expected a passphrase in the first line of ${file}, found none`);
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new FabricError("usage", `cannot read the passphrase in ${file}: ${messageOf(cause)}`, { cause });
  }
}

async function ask({ stdin, stderr, signal }: Terminal, key: string, again: boolean): Promise<string> {
  if (!stdin.isTTY || !stderr.isTTY) {
    throw new FabricError(
      "usage",
      `expected the passphrase of ${key}, which is encrypted, found no terminal to ask on`,
      {
        hint: [{ setting: "keyPassphrases", to: "FILE" }, " names a file that holds it; it is never an argument"],
      },
    );
  }
  // What is typed goes to `output`, and nowhere else.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output, terminal: true, historySize: 0 });
  // By now the terminal itself shows nothing of what is typed.
  stderr.write(visible(`${again ? "That does not open it. " : ""}Passphrase of ${key}: `));
  const closed = new Promise<never>((_resolve, reject) => {
    lines.once("close", () => reject(new FabricError("interrupted", "no passphrase was typed: nothing was changed")));
  });
  try {
    return await Promise.race([lines.question("", { signal }), closed]);
  } catch (error) {
    throw error instanceof FabricError ? error : new FabricError("interrupted", messageOf(error));
  } finally {
    lines.close();
    stderr.write("\n");
  }
}
