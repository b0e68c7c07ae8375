import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archivedImages } from "../../../../../core/chaincode/image/image-archive.ts";

const config = JSON.stringify({ architecture: "amd64", os: "linux" });
const id = `sha256:${createHash("sha256").update(config).digest("hex")}`;
const manifest = JSON.stringify([{ Config: "blobs/config", RepoTags: ["a:1", "b:2"], Layers: ["layer.tar"] }]);

async function archive(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content);
  tar.finalize();
  return buffer(tar);
}

describe("archivedImages", () => {
  let folder: string;
  const file = (name: string) => join(folder, name);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "image-archive-"));
    // The manifest may come last, and layers are too large to be kept.
    const whole = await archive({
      "layer.tar": Buffer.alloc(3_000_000),
      "blobs/config": config,
      "manifest.json": manifest,
    });
    await writeFile(file("plain.tar"), whole);
    await writeFile(file("zipped.tar.gz"), gzipSync(whole));
    await writeFile(file("oci.tar"), await archive({ "index.json": "{}" }));
    await writeFile(file("half.tar"), await archive({ "manifest.json": manifest }));
    await writeFile(file("broken.tar"), await archive({ "manifest.json": "[" }));
    await writeFile(file("other.tar"), await archive({ "manifest.json": '[{"Config":1}]' }));
    await writeFile(file("text"), "hello");
  });
  afterAll(() => rm(folder, { recursive: true }));

  test.each(["plain.tar", "zipped.tar.gz"])("%s: names and the ID that a daemon gives", async (name) => {
    expect(await archivedImages(file(name))).toEqual([{ id, names: ["a:1", "b:2"] }]);
  });

  test.each([
    ["oci.tar", "usage", /no manifest\.json/],
    ["half.tar", "usage", /expected blobs\/config/],
    ["broken.tar", "usage", /expected a list of images in manifest\.json/],
    ["other.tar", "usage", /expected a list of images in manifest\.json/],
    ["text", "usage", /manifest\.json|cannot read/],
    ["missing.tar", "usage", /cannot read/],
  ])("%s is refused", async (name, code, message) => {
    const refusal = archivedImages(file(name));
    await expect(refusal).rejects.toMatchObject({ code });
    await expect(refusal).rejects.toThrow(message);
  });
});
