import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { extract } from "tar-stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FabricRelease } from "../../sandbox/fabric-release.ts";
import {
  archiveManifest,
  digestOf,
  imageConfiguration,
  standInLabel,
  writeArchive,
} from "../../sandbox/images/archive.ts";
import { catalogue } from "../../sandbox/images/catalogue.ts";
import { keyOfLayer, tarArguments } from "../../sandbox/images/layer.ts";
import { keyOfImage } from "../../sandbox/images/make.ts";
import type { ImageRecipe } from "../../sandbox/images/recipe.ts";
import { newLayout } from "../../sandbox/layout.ts";
import { chooseImages } from "../../sandbox/sandbox.ts";

const layout = newLayout({ SANDBOX_CACHE: "/cache" });
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "images-"));
});
afterEach(() => rm(directory, { recursive: true }));

const release = (line: string): FabricRelease => ({
  home: `/fabric/${line}`,
  version: `${line}.7`,
  line,
  sampleMspFiles: ["signcerts/peer.pem"],
});
const entries = catalogue(layout, [release("2.5"), release("3.1")], "/nonexistent");
const recipes = new Map(entries.map(({ recipe }) => [recipe.name, recipe]));

describe("the catalogue", () => {
  test("uses public names, so that default manifests work unchanged", () => {
    expect([...recipes.values()].flatMap(({ tags }) => tags)).toEqual(
      expect.arrayContaining([
        "docker.io/library/docker:28-dind",
        "docker.io/library/docker:20.10-dind",
        "docker.io/local/node:1",
        "docker.io/hyperledger/fabric-peer:2.5",
        "docker.io/hyperledger/fabric-orderer:3.1",
        "docker.io/hyperledger/fabric-nodeenv:3.1",
      ]),
    );
  });

  test("says of each image under a public name that it is a stand-in, and of what", () => {
    for (const { tags, standsInFor } of recipes.values()) {
      const internal = tags.every((tag) => /^docker\.io\/local\/(pause|coredns):/.test(tag));
      expect([tags[0], standsInFor === undefined]).toEqual([tags[0], internal]);
    }
  });

  test("gives peers and orderers the layout of the official images", () => {
    const peer = recipes.get("fabric-peer-3.1");
    expect(peer?.config).toMatchObject({
      Cmd: ["peer", "node", "start"],
      Env: expect.arrayContaining(["FABRIC_CFG_PATH=/etc/hyperledger/fabric"]),
      Volumes: { "/etc/hyperledger/fabric": {}, "/var/hyperledger": {} },
    });
    expect(recipes.get("fabric-orderer-3.1")?.config.Cmd).toEqual(["orderer", "start"]);
    const files = (name: string) =>
      recipes.get(name)?.layers.flatMap((layer) => layer.files?.map(({ to }) => to) ?? []);
    expect(files("fabric-peer-3.1")).toContain("etc/hyperledger/fabric/core.yaml");
    expect(files("fabric-peer-2.5")).toContain("etc/hyperledger/fabric/msp/signcerts/peer.pem");
    expect(files("fabric-peer-3.1")).not.toContain("etc/hyperledger/fabric/msp/signcerts/peer.pem");
  });

  test("has no webhook before it is built, nor Fabric without a release", () => {
    const names = catalogue(layout, [], "/nonexistent").map(({ recipe }) => recipe.name);
    expect(names.filter((name) => /webhook|peer|orderer/.test(name))).toEqual([]);
  });

  test("takes the webhook's tag from package.json, and runs it as nobody in particular", async () => {
    await writeFile(join(directory, "package.json"), '{"version": "7.8.9"}');
    await mkdir(join(directory, "dist"));
    await writeFile(join(directory, "dist/webhook.cjs"), "");
    const webhook = catalogue(layout, [], directory).find(({ recipe }) => recipe.name === "webhook");
    expect(webhook?.recipe).toMatchObject({
      tags: ["docker.io/kubectlfabric/webhook:7.8.9"],
      config: { User: "65532:65532", Entrypoint: ["node", "--max-semi-space-size=4", "/app/webhook.cjs"] },
    });
    const files = webhook?.recipe.layers.flatMap((layer) => layer.files?.map(({ to }) => to) ?? []);
    expect(files).toEqual(["app/webhook.cjs"]);
  });
});

describe("choosing images", () => {
  const namesOf = (names?: readonly string[]) => chooseImages(entries, names).map(({ recipe }) => recipe.name);

  test("without a choice all that the cluster can load", () => {
    expect(namesOf()).toEqual(expect.arrayContaining(["pause", "coredns", "node", "fabric-peer-2.5"]));
    expect(namesOf()).not.toContain("fabric-nodeenv");
  });

  test("the essential ones are always there", () => {
    expect(namesOf([])).toEqual(["pause", "coredns"]);
    expect(namesOf(["node"])).toEqual(["pause", "coredns", "node"]);
  });

  test("an unknown one is refused with those that there are, and a hint where one helps", () => {
    expect(() => namesOf(["nod"])).toThrow(/expected one of pause, coredns, node, .*; found nod$/);
    expect(() => namesOf(["webhook"])).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("npm run build") }),
    );
    expect(() => namesOf(["fabric-peer-9.9"])).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("FABRIC_HOME") }),
    );
  });
});

describe("keys", () => {
  test("follow a file's contents and not its place", async () => {
    await writeFile(join(directory, "a"), "program");
    await writeFile(join(directory, "b"), "program");
    const key = (from: string) =>
      keyOfLayer({ name: "x", files: [{ to: "bin/x", from: join(directory, from), mode: 0o755 }] }, new Map());
    const before = await key("a");
    expect(await key("b")).toBe(before);
    await writeFile(join(directory, "b"), "another");
    expect(await key("b")).not.toBe(before);
  });

  test("follow packages, modes and links", async () => {
    const keys = await Promise.all([
      keyOfLayer({ name: "x", debian: ["curl"] }, new Map()),
      keyOfLayer({ name: "x", debian: ["curl", "runc"] }, new Map()),
      keyOfLayer({ name: "x", debian: ["curl"], busybox: true }, new Map()),
      keyOfLayer({ name: "x", debian: ["curl"], links: { "bin/sh": "busybox" } }, new Map()),
    ]);
    expect(new Set(keys).size).toBe(4);
  });

  test("follow an image's names, configuration and layers", () => {
    const recipe: ImageRecipe = { name: "x", tags: ["x:1"], layers: [], config: {}, loaded: true };
    const keys = [
      keyOfImage(recipe, ["1"]),
      keyOfImage(recipe, ["2"]),
      keyOfImage({ ...recipe, tags: ["x:2"] }, ["1"]),
      keyOfImage({ ...recipe, config: { User: "1" } }, ["1"]),
      keyOfImage({ ...recipe, standsInFor: "y" }, ["1"]),
    ];
    expect(new Set(keys).size).toBe(5);
  });
});

describe("an archive", () => {
  test("has a configuration that is the same for the same contents, and labelled", () => {
    const once = imageConfiguration("amd64", { Cmd: ["node"] }, ["sha256:1"], "node:slim");
    expect(imageConfiguration("amd64", { Cmd: ["node"] }, ["sha256:1"], "node:slim")).toBe(once);
    expect(JSON.parse(once)).toMatchObject({
      architecture: "amd64",
      config: { Cmd: ["node"], Labels: { [standInLabel]: "node:slim" } },
      rootfs: { type: "layers", diff_ids: ["sha256:1"] },
    });
    expect(JSON.parse(imageConfiguration("arm64", {}, [], undefined))).toMatchObject({ config: { Labels: {} } });
  });

  test("names its layers in order", () => {
    expect(JSON.parse(archiveManifest(["x:1", "y:2"], 2))).toEqual([
      { Config: "config.json", RepoTags: ["x:1", "y:2"], Layers: ["layer-0.tar", "layer-1.tar"] },
    ]);
  });

  test("is written as docker load reads it, the same bytes each time", async () => {
    const layer = join(directory, "layer.tar");
    await writeFile(layer, "layer's bytes");
    const diffId = await digestOf(layer);
    const files = [join(directory, "1.tar"), join(directory, "2.tar")];
    for (const file of files) await writeArchive(file, ["x:1"], "{}", [{ file: layer, diffId }]);
    const [first, second] = await Promise.all(files.map((file) => readFile(file)));
    expect(first).toEqual(second);
    const contents: Record<string, string> = {};
    for await (const entry of Readable.from([first]).pipe(extract())) contents[entry.header.name] = await text(entry);
    expect(contents).toEqual({
      "manifest.json": archiveManifest(["x:1"], 1),
      "config.json": "{}",
      "layer-0.tar": "layer's bytes",
    });
  });

  test("has layers without times, owners and order of the machine that made them", () => {
    expect(tarArguments("/root", "/out.tar")).toEqual(
      expect.arrayContaining(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"]),
    );
  });
});
