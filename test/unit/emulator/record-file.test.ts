import { appendFileSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RecordFile } from "../../emulator/ledger/record-file.ts";

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "record-file-"));
  path = join(directory, "records");
});

afterEach(() => rmSync(directory, { recursive: true }));

function all(file: RecordFile): readonly string[] {
  return Array.from({ length: file.count }, (_, index) => file.read(index).toString());
}

test("reads again what was appended", () => {
  new RecordFile(path).append(Buffer.from("one"), Buffer.from(""), Buffer.from("three"));
  expect(all(new RecordFile(path))).toEqual(["one", "", "three"]);
});

test("drops a record that was cut short wherever, and goes on after the last whole one", () => {
  new RecordFile(path).append(Buffer.from("one"), Buffer.from("two"));
  const whole = statSync(path).size;
  for (let size = whole - 1; size >= whole - 10; size--) {
    truncateSync(path, size);
    const file = new RecordFile(path);
    expect(all(file)).toEqual(["one"]);
    file.append(Buffer.from("two"));
    expect(all(new RecordFile(path))).toEqual(["one", "two"]);
  }
});

test("drops what was never written whole", () => {
  new RecordFile(path).append(Buffer.from("one"));
  appendFileSync(path, Buffer.from([0, 0, 0, 3, 1, 2, 3, 4, 1, 2, 3]));
  expect(all(new RecordFile(path))).toEqual(["one"]);
});

test("forgets from the end", () => {
  const file = new RecordFile(path);
  file.append(Buffer.from("one"), Buffer.from("two"), Buffer.from("three"));
  file.truncate(1);
  file.append(Buffer.from("four"));
  expect(all(new RecordFile(path))).toEqual(["one", "four"]);
});
