import { Transform } from "node:stream";
import { FabricError } from "../error.ts";

/** Stream number, three zeros, length (Docker Engine API, ContainerAttach: "Stream format"). */
const headerBytes = 8;

/** Removes the frames from a container's multiplexed output. */
export function logFrames(): Transform {
  let header = Buffer.alloc(0);
  let left = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      let rest = chunk;
      while (rest.length > 0) {
        if (left === 0) {
          const missing = headerBytes - header.length;
          header = Buffer.concat([header, rest.subarray(0, missing)]);
          rest = rest.subarray(missing);
          if (header.length < headerBytes) break;
          if (header.readUInt8(0) > 2) return done(badFrame(header));
          left = header.readUInt32BE(4);
          header = Buffer.alloc(0);
        }
        const part = rest.subarray(0, left);
        if (part.length > 0) this.push(part);
        left -= part.length;
        rest = rest.subarray(part.length);
      }
      done();
    },
    flush(done) {
      done(
        left > 0 || header.length > 0 ? new FabricError("connection", "a container's log ended within a line") : null,
      );
    },
  });
}

function badFrame(header: Buffer): FabricError {
  return new FabricError("invalid", `expected a frame of a container's log, got ${header.toString("hex")}`);
}
