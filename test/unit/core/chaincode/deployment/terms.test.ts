import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readCollections } from "../../../../../core/chaincode/deployment/terms.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "terms-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("a mistake in a collections file is told with the file, line and column, and what stands there", async () => {
  const file = join(folder, "collections.json");
  await writeFile(file, '[\n  {\n    "name": "appraisals",\n    "policy": OR\n  }\n]\n');
  await expect(readCollections(file)).rejects.toMatchObject({
    code: "usage",
    message: `${file}: expected JSON in the collections file: a value, found "OR" at line 4, column 15`,
  });
});
