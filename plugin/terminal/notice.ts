import type { Terminal } from "./io.ts";
import { visible } from "./visible.ts";

type Stderr = Terminal["stderr"];

/** Where lines at the end are redrawn: who writes a line above them. */
const redrawn = new WeakMap<Stderr, (line: string) => void>();

/** Until the function that it gives is called, notices on this stream are written by `line`. */
export function noticesBy(stderr: Stderr, line: (text: string) => void): () => void {
  redrawn.set(stderr, line);
  return () => void redrawn.delete(stderr);
}

/** What a command passes over or does unasked, told beside its progress. */
export const noticeOn =
  ({ stderr }: Pick<Terminal, "stderr">) =>
  (text: string): void => {
    const line = `note: ${visible(text)}`;
    const write = redrawn.get(stderr);
    if (write === undefined) stderr.write(`${line}\n`);
    else write(line);
  };
