import type { Writable } from "node:stream";
import { frame, type OutputChunk } from "../containers/output.ts";

/** Bytes that a reader may be behind. */
const mostUnreadBytes = 1024 * 1024;

/**
 * Writes a container's output to a client that follows it. For a client that does not read, output is left out instead of filling our
 * memory; the client gets a note when it reads on. So a slow client does not stop chaincode, and endless output does not stop the runner.
 */
export function newReader(stream: Writable): Reader {
  let omitted = 0;
  const tell = (): void => {
    if (omitted === 0) return;
    const data = Buffer.from(`runner: ${omitted} bytes are left out here, which were not read in time\n`);
    stream.write(frame({ stream: "stderr", time: 0, data }));
    omitted = 0;
  };
  return {
    read(chunk) {
      if (stream.writableLength > mostUnreadBytes) {
        omitted += chunk.data.length;
        return;
      }
      tell();
      stream.write(frame(chunk));
    },
    end() {
      tell();
      stream.end();
    },
  };
}

export interface Reader {
  read(chunk: OutputChunk): void;
  /** Writes the note about bytes left out, if there are any, and ends the stream. */
  end(): void;
}
