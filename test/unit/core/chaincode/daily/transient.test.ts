import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readTransient as readSources } from "../../../../../core/chaincode/daily/transient.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "transient-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
const file = async (name: string, content: string | Uint8Array) => {
  await writeFile(join(folder, name), content);
  return join(folder, name);
};

const readTransient = (plain: readonly string[], base64: readonly string[] = []) => readSources({ plain, base64 });

/** As `echo -n TEXT | base64` writes it. */
const inBase64 = (text: string): string => Buffer.from(text).toString("base64");

test("values of a JSON file, and files that are values", async () => {
  const json = await file("values.json", '{"price":"100","asset":{"id":1}}');
  const bytes = await file("bytes", Buffer.of(0xff, 0));
  const values = await readTransient([json, `picture=${bytes}`]);
  expect(Buffer.from(values["price"] ?? []).toString()).toBe("100");
  expect(Buffer.from(values["asset"] ?? []).toString()).toBe('{"id":1}');
  expect([...(values["picture"] ?? [])]).toEqual([0xff, 0]);
});

test.each(["secret", '["secret"]', '"secret"', "null"])("%s is refused without telling it", async (content) => {
  const failure: unknown = await readTransient([await file("bad.json", content)]).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "usage" });
  expect(String(failure)).not.toContain("secret");
  expect((failure as Error).cause).toBeUndefined();
});

test("a mistake is told by its place alone", async () => {
  const json = await file("mistake.json", '{\n  "price": secret\n}');
  await expect(readTransient([json])).rejects.toThrow(
    /^expected a JSON object of values in .*mistake.json, found a mistake at line 2, column 12$/,
  );
});

test("a file that is not there is named", async () => {
  await expect(readTransient([join(folder, "none.json")])).rejects.toThrow(
    /cannot read the transient data in .*none.json/,
  );
});

test("values in base64, as the peer command takes them", async () => {
  const values = {
    properties: inBase64('{"size":5}'),
    picture: "/wA=",
    lines: "YWJj\r\nZGVm\n",
    empty: "",
    none: null,
  };
  const read = await readTransient([], [await file("base64.json", JSON.stringify(values))]);
  expect(Object.entries(read).map(([name, bytes]) => [name, Buffer.from(bytes).toString("latin1")])).toEqual([
    ["properties", '{"size":5}'],
    ["picture", "\xff\0"],
    ["lines", "abcdef"],
    ["empty", ""],
    ["none", ""],
  ]);
});

test.each(["100", "MTA", "MTA-", "MT A=", 100, {}, ["MTAw"]])("%j is no value in base64", async (price) => {
  const json = await file("no-base64.json", JSON.stringify({ price }));
  await expect(readTransient([], [json])).rejects.toThrow(
    /^expected base64 as the value of price in .*no-base64\.json, found something else$/,
  );
});

test("JSON in base64 is not taken as it is, unless it is a file of its own", async () => {
  const json = await file("peer.json", JSON.stringify({ a: inBase64('{"size":5}'), b: inBase64(" [1]") }));
  await expect(readTransient([json])).rejects.toMatchObject({
    code: "usage",
    message: `expected values as they are in ${json}, found JSON in base64, as the peer command takes it`,
  });
  const one = await file("value", inBase64('{"size":5}'));
  expect(Buffer.from((await readTransient([`a=${one}`]))["a"] ?? []).toString()).toBe(inBase64('{"size":5}'));
});

test.each([{ a: inBase64("100") }, { a: "abcd" }, { a: inBase64("{}"), b: "100" }, { a: inBase64("{broken") }, {}])(
  "%j may be meant as it is",
  async (values) => {
    const read = await readTransient([await file("plain.json", JSON.stringify(values))]);
    expect(
      Object.fromEntries(Object.entries(read).map(([name, bytes]) => [name, Buffer.from(bytes).toString()])),
    ).toEqual(values);
  },
);
