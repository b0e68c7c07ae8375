import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { daemonMessages, newLayerCount, type DaemonMessage } from "../../../../core/docker/daemon-messages.ts";
import { splitName } from "../../../../core/docker/images.ts";
import { logFrames } from "../../../../core/docker/log-frames.ts";

function frame(stream: number, payload: string): Buffer {
  const bytes = Buffer.from(payload);
  const header = Buffer.alloc(8);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([header, bytes]);
}

const unframed = async (chunks: readonly Buffer[]) => text(Readable.from(chunks).pipe(logFrames()));

describe("logFrames", () => {
  test("however the bytes are cut, what was written comes out", async () => {
    const payloads = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.string()), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(payloads, fc.integer({ min: 1, max: 20 }), async (written, size) => {
        const bytes = Buffer.concat(written.map(([stream, payload]) => frame(stream, payload)));
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
          bytes.subarray(i * size, (i + 1) * size),
        );
        expect(await unframed(chunks)).toBe(written.map(([, payload]) => payload).join(""));
      }),
    );
  });

  test("a log that is cut within a frame is an error", async () => {
    await expect(pipeline(Readable.from([frame(1, "hello").subarray(0, 10)]), logFrames(), text)).rejects.toMatchObject(
      { code: "connection" },
    );
  });

  test("a stream without frames is an error", async () => {
    await expect(pipeline(Readable.from([Buffer.from("plain text")]), logFrames(), text)).rejects.toMatchObject({
      code: "invalid",
    });
  });
});

describe("daemonMessages", () => {
  const read = async (...lines: string[]) => {
    const messages: DaemonMessage[] = [];
    for await (const message of daemonMessages(
      Readable.from(
        lines.map(
          (line) => `${line}
`,
        ),
      ),
      "pull x",
    ))
      messages.push(message);
    return messages;
  };

  test("lines are messages; one that is not JSON is what the daemon says", async () => {
    expect(await read('{"status":"Pulling"}', "", "oops")).toEqual([{ status: "Pulling" }, { stream: "oops\n" }]);
  });

  test("an error within a successful answer is thrown", async () => {
    await expect(
      read('{"status":"a"}', '{"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"}'),
    ).rejects.toMatchObject({
      code: "rejected",
      message: "pull x: manifest unknown",
    });
  });
});

test("layers are counted as they come", () => {
  const count = newLayerCount();
  expect(count({ status: "Pulling from a", id: "latest" })).toBeUndefined();
  expect(count({ status: "Pulling fs layer", id: "0123456789ab" })).toBe("0 of 1 layers");
  expect(count({ status: "Already exists", id: "ba9876543210" })).toBe("1 of 2 layers");
  expect(count({ status: "Pull complete", id: "0123456789ab" })).toBe("2 of 2 layers");
});

test.each([
  ["a", "a", "latest"],
  ["a:1", "a", "1"],
  ["registry:5000/a/b", "registry:5000/a/b", "latest"],
  ["registry:5000/a/b:1", "registry:5000/a/b", "1"],
  ["a@sha256:00", "a", "sha256:00"],
])("%s", (name, repo, tag) => {
  expect(splitName(name)).toEqual({ repo, tag });
});
