import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  isFresh,
  keyOf,
  keyOfDirectory,
  keyOfFile,
  publish,
  readMemory,
  writeMemory,
} from "../../sandbox/freshness.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "freshness-"));
});
afterEach(() => rm(directory, { recursive: true }));

const file = (name: string) => join(directory, name);

test("keys tell apart what concatenation would not", () => {
  expect(keyOf("ab", "c")).not.toBe(keyOf("a", "bc"));
  expect(keyOf("a")).toBe(keyOf("a"));
});

describe("the key of a directory", () => {
  beforeEach(async () => {
    await mkdir(file("source"));
    await writeFile(file("source/main.go"), "package main");
  });

  test("does not follow times: a clean clone is not built again", async () => {
    const key = await keyOfDirectory(file("source"));
    await utimes(file("source/main.go"), 1, 1);
    expect(await keyOfDirectory(file("source"))).toBe(key);
  });

  test("does not depend on where it is", async () => {
    await mkdir(file("elsewhere"));
    await writeFile(file("elsewhere/main.go"), "package main");
    expect(await keyOfDirectory(file("elsewhere"))).toBe(await keyOfDirectory(file("source")));
  });

  test("follows contents, names and new files", async () => {
    const keys = [await keyOfDirectory(file("source"))];
    await writeFile(file("source/main.go"), "package other");
    keys.push(await keyOfDirectory(file("source")));
    await writeFile(file("source/more.go"), "package main");
    keys.push(await keyOfDirectory(file("source")));
    expect(new Set(keys).size).toBe(3);
  });
});

test("a large file is read once as long as it is the same", async () => {
  await writeFile(file("peer"), "one");
  const memory = new Map<string, string>();
  const key = await keyOfFile(file("peer"), memory);
  const [identity = ""] = memory.keys();
  memory.set(identity, "remembered");
  expect(await keyOfFile(file("peer"), memory)).toBe("remembered");
  await writeFile(file("peer"), "another one");
  expect(await keyOfFile(file("peer"), memory)).not.toBe("remembered");
  expect(key).toMatch(/^[0-9a-f]{64}$/);
});

test("what is remembered survives the process, and a file cut off is no memory", async () => {
  await writeMemory(file("memory.json"), new Map([["peer", "key"]]));
  expect(await readMemory(file("memory.json"))).toEqual(new Map([["peer", "key"]]));
  await writeFile(file("memory.json"), '{"peer": "k');
  expect(await readMemory(file("memory.json"))).toEqual(new Map());
});

describe("a product", () => {
  beforeEach(() => writeFile(file("unfinished"), "done"));

  test("is fresh for the key that it was published with, and no other", async () => {
    expect(await isFresh(file("product"), "1")).toBe(false);
    await publish(file("unfinished"), file("product"), { key: "1" });
    expect(await isFresh(file("product"), "1")).toBe(true);
    expect(await isFresh(file("product"), "2")).toBe(false);
    expect(await readFile(file("product"), "utf8")).toBe("done");
  });

  test("is not fresh without its stamp, as a kill between the two leaves it", async () => {
    await publish(file("unfinished"), file("product"), { key: "1" });
    await rm(file("product.stamp"));
    expect(await isFresh(file("product"), "1")).toBe(false);
  });

  test("is not fresh when only its stamp is left, or the stamp is cut off", async () => {
    await publish(file("unfinished"), file("product"), { key: "1" });
    await writeFile(file("product.stamp"), '{"key": "1');
    expect(await isFresh(file("product"), "1")).toBe(false);
    await writeFile(file("product.stamp"), '{"key": "1"}');
    await rm(file("product"));
    expect(await isFresh(file("product"), "1")).toBe(false);
  });

  test("replaces a directory", async () => {
    await mkdir(file("product"));
    await writeFile(file("product/old"), "old");
    await publish(file("unfinished"), file("product"), { key: "2" });
    expect(await readFile(file("product"), "utf8")).toBe("done");
  });
});
