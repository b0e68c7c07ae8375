import { joined, type Remedy } from "../../core/remedy.ts";
import type { Terminal } from "./io.ts";
import { typed } from "./remedy.ts";
import { visible } from "./visible.ts";

type Stderr = Terminal["stderr"];

/** Streams on which progress is redrawn, with the function that writes a line above it. */
const redrawn = new WeakMap<Stderr, (line: string) => void>();

/** Notices on this stream are written by `line`, until the returned function is called. */
export function noticesBy(stderr: Stderr, line: (text: string) => void): () => void {
  redrawn.set(stderr, line);
  return () => void redrawn.delete(stderr);
}

/** Writes notices: about things that a command ignores, or does without being asked. */
export const noticeOn =
  ({ stderr }: Pick<Terminal, "stderr">) =>
  (text: Remedy, hint?: Remedy): void => {
    const line = `note: ${visible(typed(hint === undefined ? text : joined([text, "\nhint: ", hint])))}`;
    const write = redrawn.get(stderr);
    if (write === undefined) stderr.write(`${line}\n`);
    else write(line);
  };
