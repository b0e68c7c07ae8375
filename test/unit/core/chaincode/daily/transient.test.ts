import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readTransient } from "../../../../../core/chaincode/daily/transient.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "transient-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
const file = async (name: string, content: string | Uint8Array) => {
  await writeFile(join(folder, name), content);
  return join(folder, name);
};

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
