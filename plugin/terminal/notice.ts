import type { Terminal } from "./io.ts";
import { visible } from "./visible.ts";

/** What a command passes over or does unasked, told beside its progress. */
export const noticeOn =
  ({ stderr }: Pick<Terminal, "stderr">) =>
  (line: string): void =>
    void stderr.write(`note: ${visible(line)}\n`);
