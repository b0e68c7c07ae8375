import type { Writable } from "node:stream";
import { frame, type OutputChunk } from "../containers/output.ts";

/** Bytes that a reader may be behind. */
const mostUnreadBytes = 1024 * 1024;

/**
 * Writes what a container puts out to somebody who follows it. What one that does not read would keep in our memory is left out for that
 * reader, who is told when it reads on: chaincode is not stopped by whoever looks at it, nor the runner by chaincode that writes without end.
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
  /** Tells what was left out last, and ends the stream. */
  end(): void;
}
