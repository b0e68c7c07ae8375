import { createInterface } from "node:readline/promises";
import { FabricError } from "../../core/error.ts";
import type { Terminal } from "./io.ts";
import { visible } from "./visible.ts";

/** Asks the user to type a word before an action that cannot be undone. Throws `usage` without a terminal, `interrupted` otherwise. */
export async function confirm(terminal: Terminal, question: string, word: string): Promise<void> {
  if (!terminal.stdin.isTTY || !terminal.stderr.isTTY) {
    throw new FabricError("usage", `expected a confirmation: ${question}`, {
      hint: "add --yes to go on without being asked",
    });
  }
  const lines = createInterface({ input: terminal.stdin, output: terminal.stderr });
  try {
    const answer = await lines.question(visible(`${question}\nType ${word} to go on: `), { signal: terminal.signal });
    if (answer.trim() !== word)
      throw new FabricError("interrupted", `expected ${word}, got "${answer.trim()}": nothing was changed`);
  } finally {
    lines.close();
  }
}
