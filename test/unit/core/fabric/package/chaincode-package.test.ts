import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  checkChaincodeName,
  checkChaincodeVersion,
} from "../../../../../core/fabric/chaincode/chaincode-definition.ts";
import { checkChaincodeLabel } from "../../../../../core/fabric/package/chaincode-label.ts";
import {
  chaincodeFiles,
  checkPackageSize,
  packChaincode,
  readChaincodePackage,
} from "../../../../../core/fabric/package/chaincode-package.ts";
import { packageChaincodeFolder } from "../../../../../core/fabric/package/chaincode-source.ts";
import { connectionAddress, packServiceChaincode } from "../../../../../core/fabric/package/service-chaincode.ts";
import { listTarball, packTarball, unpackTarball } from "../../../../../core/fabric/package/tarball.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "chaincode-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

const packageJson = JSON.stringify({ scripts: { start: "node node_modules/fabric-shim/cli.js start" } });
/** Begins with a file that the package brings as a dependency. */
const launched = JSON.stringify({ scripts: { start: "node node_modules/launcher/start.js" } });
const names = async (label = "basic_1.0") =>
  (await chaincodeFiles(await packageChaincodeFolder(folder, label))).map(({ name }) => name);

describe("a chaincode package", () => {
  test("is the same for the same files, on any machine", async () => {
    await write({ "package.json": packageJson, "index.js": "// code" });
    const before = await packageChaincodeFolder(folder, "basic_1.0");
    await utimes(join(folder, "index.js"), 1, 1);
    const after = await packageChaincodeFolder(folder, "basic_1.0");
    expect(after.id).toBe(before.id);
    // Fixed: when this changes, every chaincode that users have deployed gets a new package ID.
    expect(before.id).toBe("basic_1.0:7c39ba2f7222e7806c9ba210adbf570d63f1f6960eb2effecc57bd2be7adc224");
  });

  test("holds entries that a peer accepts: files, sorted, of mode 644", async () => {
    await write({ "package.json": launched, "lib/b.js": "b", "lib/a.js": "a" });
    const { bytes } = await packageChaincodeFolder(folder, "basic_1.0");
    const [code] = (await unpackTarball(bytes, "it")).filter(({ name }) => name === "code.tar.gz");
    const tar = gunzipSync(code?.content ?? new Uint8Array());
    expect(await names()).toEqual(["src/lib/a.js", "src/lib/b.js", "src/package.json"]);
    const header = {
      mode: tar.toString("latin1", 100, 107),
      time: tar.toString("latin1", 136, 147),
      type: tar.toString("latin1", 156, 157),
    };
    expect(header).toEqual({ mode: "000644 ", time: "00000000000", type: "0" });
    // gzip: no time, no name.
    expect([...bytes.subarray(0, 8)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
  });

  test("that would fill the memory of its reader is refused", async () => {
    const large = new Uint8Array(64 * 1024 * 1024);
    const bomb = await packTarball([{ name: "big", content: large }]);
    expect(bomb.length).toBeLessThan(512 * 1024);
    const message = `expected at most 16777216 bytes in it of ${bomb.length} bytes, found more`;
    await expect(unpackTarball(bomb, "it")).rejects.toMatchObject({ code: "invalid", message });
    await expect(listTarball(bomb, "it")).rejects.toMatchObject({ code: "invalid", message });
    // What does not shrink so much is as large as it likes.
    const stored = await packTarball([{ name: "big", content: large }], { level: 0 });
    expect(await listTarball(stored, "it")).toMatchObject([{ name: "big", size: large.length }]);
  });

  test("reads back with the same ID", async () => {
    await write({ "package.json": launched });
    const made = await packageChaincodeFolder(folder, "basic_1.0");
    const read = await readChaincodePackage(made.bytes);
    expect(read).toEqual({ ...made, metadata: { path: "", type: "node", label: "basic_1.0" } });
  });

  test.each<[string, object]>([
    ['{"Path":"","Type":"node","Label":"asset_1"}', { path: "", type: "node", label: "asset_1" }],
    ['{"PATH":"a/b","type":"GOLANG","label":"x","Label":"asset_1"}', { path: "a/b", type: "golang", label: "asset_1" }],
    ['{"path":null,"type":"CCaaS","label":"asset_1"}', { path: "", type: "CCaaS", label: "asset_1" }],
  ])("reads metadata.json as Go does: %s", async (json, metadata) => {
    const bytes = await packTarball([
      { name: "metadata.json", content: Buffer.from(json) },
      { name: "code.tar.gz", content: Buffer.of(1) },
    ]);
    expect((await readChaincodePackage(bytes)).metadata).toEqual(metadata);
  });

  test("keeps names that tar has no room for", async () => {
    const deep = `${"folder-with-a-long-name/".repeat(12)}index.js`;
    await write({ "package.json": launched, [deep]: "x" });
    expect(await names()).toContain(`src/${deep}`);
  });

  test.each([
    ["bytes that are no archive", Buffer.from("no archive"), "to be a tar.gz archive"],
    ["an archive of something else", packTarball([{ name: "x", content: Buffer.of(1) }]), "found x"],
    [
      "bad metadata",
      packTarball([
        { name: "metadata.json", content: Buffer.from("{") },
        { name: "code.tar.gz", content: Buffer.of(1) },
      ]),
      "expected JSON in metadata.json",
    ],
    [
      "metadata without a type",
      packTarball([
        { name: "metadata.json", content: Buffer.from("{}") },
        { name: "code.tar.gz", content: Buffer.of(1) },
      ]),
      "expected type and label",
    ],
  ])("is not read from %s", async (_, bytes, message) => {
    await expect(readChaincodePackage(await bytes)).rejects.toThrow(message);
  });

  test("is not larger than a peer takes", () => {
    expect(() => checkPackageSize(99 * 1024 * 1024)).not.toThrow();
    expect(() => checkPackageSize(100 * 1024 * 1024)).toThrow("expected a package below 99 MiB, found 100.0 MiB");
  });

  test("of a service names its address", async () => {
    const made = await packServiceChaincode({ label: "basic_1.0", address: { host: "basic.org1", port: 9999 } });
    expect(made.metadata).toEqual({ path: "", type: "ccaas", label: "basic_1.0" });
    const [connection] = await chaincodeFiles(made);
    expect(connection?.name).toBe("connection.json");
    expect(JSON.parse(Buffer.from(connection?.content ?? []).toString())).toEqual({
      address: "basic.org1:9999",
      dial_timeout: "10s",
      tls_required: false,
    });
  });
});

test.each([
  ['{"Address":"basic.org1:9999","dial_timeout":null}', "basic.org1:9999"],
  ['{"address":null}', undefined],
  ["null", undefined],
])("the address in connection.json is read as Go does: %s", async (json, address) => {
  const label = "basic_1.0";
  const files = [{ name: "connection.json", content: Buffer.from(json) }];
  expect(await connectionAddress(await packChaincode({ path: "", type: "ccaas", label }, files))).toBe(address);
});

describe("packaging Node chaincode", () => {
  test("takes what is installed, without npm's links and notes, and without a lock file that would install it again", async () => {
    await write({
      "package.json": launched,
      "package-lock.json": "{}",
      "node_modules/.package-lock.json": "{}",
      "node_modules/fabric-shim/cli.js": "cli",
      "node_modules/fabric-shim/node_modules/.bin/x": "x",
      "node_modules/.bin/real": "x",
      ".git/HEAD": "ref",
    });
    await symlink("../fabric-shim/cli.js", join(folder, "node_modules/.bin/fabric-chaincode-node"));
    expect(await names()).toEqual(["src/node_modules/fabric-shim/cli.js", "src/package.json"]);
  });

  test("keeps the lock file when nothing is installed", async () => {
    await write({ "package.json": launched, "package-lock.json": "{}" });
    expect(await names()).toEqual(["src/package-lock.json", "src/package.json"]);
  });

  test("follows links inside the folder", async () => {
    await write({ "package.json": launched, "packages/own/index.js": "own" });
    await mkdir(join(folder, "node_modules"));
    await symlink("../packages/own", join(folder, "node_modules/own"));
    await symlink("packages/own/index.js", join(folder, "alias.js"));
    expect(await names()).toEqual([
      "src/alias.js",
      "src/node_modules/own/index.js",
      "src/package.json",
      "src/packages/own/index.js",
    ]);
  });

  test("puts CouchDB indexes beside the sources", async () => {
    await write({
      "package.json": launched,
      "META-INF/statedb/couchdb/indexes/owner.json": "{}",
      "META-INF/statedb/couchdb/collections/secrets/indexes/owner.json": "{}",
      "META-INF/.DS_Store": "x",
    });
    expect(await names()).toEqual([
      "META-INF/statedb/couchdb/collections/secrets/indexes/owner.json",
      "META-INF/statedb/couchdb/indexes/owner.json",
      "src/package.json",
    ]);
  });

  test.each([
    ["no start script", { "package.json": "{}" }, "expected a start script in"],
    ["a package.json that is none", { "package.json": "{" }, "expected JSON in"],
    ["other metadata", { "package.json": launched, "META-INF/x.json": "{}" }, "found META-INF/x.json"],
    [
      "an index that is no JSON",
      { "package.json": launched, "META-INF/statedb/couchdb/indexes/a.json": "{" },
      "expected JSON in META-INF",
    ],
    ["nothing to build", { "README.md": "" }, "expected package.json, go.mod, pom.xml, build.gradle or jars"],
  ])("refuses %s", async (_, files, message) => {
    await write(files);
    await expect(packageChaincodeFolder(folder, "basic_1.0")).rejects.toThrow(message);
  });

  test("refuses links that leave the folder, lead nowhere or back", async () => {
    await write({ "package.json": launched });
    const link = join(folder, "link");
    await symlink("/etc/hostname", link);
    await expect(packageChaincodeFolder(folder, "a")).rejects.toMatchObject({
      code: "usage",
      message: expect.stringMatching(/expected links inside .*, found link -> .*etc\/hostname/),
      hint: expect.stringContaining("--install-links"),
    });
    await rm(link);
    await symlink("nowhere", link);
    await expect(packageChaincodeFolder(folder, "a")).rejects.toThrow("found a dangling link");
    await rm(link);
    await symlink(".", link);
    await expect(packageChaincodeFolder(folder, "a")).rejects.toThrow("found the link link back to where it is");
  });

  test("refuses a folder that is not there", async () => {
    await expect(packageChaincodeFolder(join(folder, "no"), "a")).rejects.toMatchObject({ code: "usage" });
  });
});

describe("packaging Go chaincode", () => {
  const goMod = "// my module\nmodule example.com/assets\n\ngo 1.22\n";

  test("takes the whole module and names what to build in it", async () => {
    await write({
      "go.mod": goMod,
      "lib/lib.go": "package lib",
      "cmd/cc/main.go": "package main",
      "cmd/cc/META-INF/statedb/couchdb/indexes/owner.json": "{}",
      "vendor/modules.txt": "",
      ".git/HEAD": "ref",
    });
    const { metadata, ...made } = await packageChaincodeFolder(join(folder, "cmd/cc"), "assets_1.0");
    expect(metadata).toEqual({ path: "example.com/assets/cmd/cc", type: "golang", label: "assets_1.0" });
    expect((await chaincodeFiles(made)).map(({ name }) => name)).toEqual([
      "META-INF/statedb/couchdb/indexes/owner.json",
      "src/cmd/cc/main.go",
      "src/go.mod",
      "src/lib/lib.go",
      "src/vendor/modules.txt",
    ]);
  });

  test("names the module itself when it is what to build", async () => {
    await write({ "go.mod": goMod, "main.go": "package main" });
    expect((await packageChaincodeFolder(folder, "a")).metadata.path).toBe("example.com/assets");
  });

  test("refuses a go.mod without a module", async () => {
    await write({ "go.mod": "go 1.22\n" });
    await expect(packageChaincodeFolder(folder, "a")).rejects.toThrow("expected a module line");
  });
});

describe("packaging Java chaincode", () => {
  test("leaves out what was built", async () => {
    await write({
      "pom.xml": "<project/>",
      "src/main/java/build/Main.java": "class Main {}",
      "target/a.jar": "x",
      "Main.class": "x",
    });
    const { metadata } = await packageChaincodeFolder(folder, "a");
    expect(metadata.type).toBe("java");
    expect(await names()).toEqual(["src/pom.xml", "src/src/main/java/build/Main.java"]);
  });
});

describe("names that Fabric accepts", () => {
  test.each(["basic_1.0", "a", "9+x-y"])("label %s", (label) => expect(() => checkChaincodeLabel(label)).not.toThrow());
  test.each(["", "_a", "a b", "a:b", "a".repeat(184)])("not label %s", (label) =>
    expect(() => checkChaincodeLabel(label)).toThrow("expected a label"),
  );
  test.each(["basic", "asset-transfer", "a_b-c9"])("chaincode %s", (name) =>
    expect(() => checkChaincodeName(name)).not.toThrow(),
  );
  test.each(["", "-a", "a-", "a--b", "a.b", "_lifecycle", "qscc"])("not chaincode %s", (name) =>
    expect(() => checkChaincodeName(name)).toThrow("expected a chaincode name"),
  );
  test.each(["1.0", "v1+x_y-z"])("version %s", (version) => expect(() => checkChaincodeVersion(version)).not.toThrow());
  test.each(["", "1 0", "1/0"])("not version %s", (version) =>
    expect(() => checkChaincodeVersion(version)).toThrow("expected a chaincode version"),
  );
});
