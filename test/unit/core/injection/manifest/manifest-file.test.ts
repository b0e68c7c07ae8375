import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { readNamed } from "../../../../../core/injection/manifest/manifest-file.ts";

const littleEndian = Buffer.from("\uFEFFkind: Pöd\n", "utf16le");

test.each([
  ["UTF-8", Buffer.from("kind: Pöd\n"), "kind: Pöd\n"],
  ["UTF-8 with a byte order mark, which stays", Buffer.from("\uFEFFkind: Pöd\n"), "\uFEFFkind: Pöd\n"],
  ["UTF-16, as PowerShell writes it", littleEndian, "kind: Pöd\n"],
  ["UTF-16 of the other order", Buffer.from(littleEndian).swap16(), "kind: Pöd\n"],
  ["nothing", Buffer.alloc(0), ""],
])("%s", async (_, bytes, text) => {
  expect(await readNamed("-", Readable.from([bytes]))).toEqual({ text, source: "standard input" });
});

test("a file that is not there is wrong usage", async () => {
  await expect(readNamed("/nowhere/peer.yaml", Readable.from([]))).rejects.toThrow("cannot read /nowhere/peer.yaml");
});
