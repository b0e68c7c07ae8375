import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkPackageContent, packChaincode } from "../../../../../core/fabric/package/chaincode-package.ts";
import { readChaincodeSource } from "../../../../../core/fabric/package/chaincode-source.ts";
import { readGoMod } from "../../../../../core/fabric/package/go-module.ts";
import { entryOf } from "../../../../../core/fabric/package/node-start.ts";
import { typedAs } from "../../../../typed-as.ts";
import { typed } from "../../../../../plugin/terminal/remedy.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "source-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}
const names = async () => (await readChaincodeSource(folder)).files.map(({ name }) => name.replace(/^src\//, ""));
const start = "fabric-chaincode-node start";
const manifest = (more: object = {}) => JSON.stringify({ scripts: { start }, ...more });

describe("files that may hold keys or passwords", () => {
  const secrets = [".env", ".envrc", ".npmrc", "config/id_ed25519_sk", "tls/Server.KEY", "tls/root.pem"];
  const public_ = [
    ".env.example",
    "id_generator.js",
    "id_rsa.pub",
    "index.js",
    "lib/id_map.d.ts",
    "monkey.js",
    "node_modules/a/locale/id_ID.yml",
    "node_modules/a/server.key",
  ];
  const some = async () => {
    await write(Object.fromEntries([...secrets, ...public_].map((name) => [name, ""])));
    await write({ "package.json": manifest() });
  };
  const withIncluded = async (...include: readonly string[]) => {
    const { files, notices } = await readChaincodeSource(folder, { include });
    return {
      names: files.map(({ name }) => name.replace(/^src\//, "")),
      notices: notices.map((notice) => typed(notice)),
    };
  };

  test("are left out, which is said; what only sounds like one, and what came from a registry, is not", async () => {
    await some();
    expect(await withIncluded()).toEqual({
      names: [...public_, "package.json"].toSorted(),
      notices: [
        "left out, as they may hold keys or passwords: .env, .envrc, .npmrc, config/id_ed25519_sk, tls/Server.KEY, 1 more; " +
          "--include takes them, as --include .env",
      ],
    });
  });

  test("come along where they are named, by name or pattern", async () => {
    await some();
    const { names: all, notices } = await withIncluded("./tls/*.pem", ".env*", "id_ed25519_sk", "*.key");
    expect(all).toEqual([...public_, ...secrets, "package.json"].filter((name) => name !== ".npmrc").toSorted());
    expect(notices).toEqual([
      "left out, as they may hold keys or passwords: .npmrc; --include takes them, as --include .npmrc",
    ]);
  });

  test("that are named and not there are an error, with what there is", async () => {
    await some();
    await expect(withIncluded(".env", "tls/nosuch.pem")).rejects.toMatchObject({
      code: "usage",
      message:
        "expected --include to name files that are left out otherwise (.envrc, .npmrc, config/id_ed25519_sk, tls/Server.KEY, tls/root.pem), " +
        "found tls/nosuch.pem",
    });
  });

  test("that an ignore file leaves out anyway are not spoken of", async () => {
    await write({ "package.json": manifest(), "index.js": "", ".env": "", ".npmignore": ".env\n.npmignore\n" });
    expect((await withIncluded()).notices).toEqual([".npmignore decided what is left out"]);
  });

  const go = { "go.mod": "module example.com/a\n", "main.go": "package main\n" };
  const java = { "pom.xml": "", "src/A.java": "" };
  const fetched = { "vendor/example.com/b/test.pem": "", "vendor/modules.txt": "" };

  test.each([
    [go, fetched, Object.keys(fetched)],
    [go, { "vendor/tls/server.key": "" }, []],
    [go, { "node_modules/a/server.key": "" }, []],
    [java, fetched, ["vendor/modules.txt"]],
    [java, { "node_modules/a/server.key": "" }, []],
    [
      { "package.json": manifest(), "index.js": "" },
      { ...fetched, "vendor/tls/server.key": "" },
      ["vendor/modules.txt"],
    ],
  ])(
    "are left out of every language but for what its package manager has fetched: %j, %j",
    async (own, more, along) => {
      await write({ ...own, ...more, "tls/server.key": "" });
      const { names: all } = await withIncluded();
      expect(all).toEqual([...Object.keys(own), ...along].toSorted());
    },
  );

  test.each([["id_rsa.bak"], ["id_deploy"], ["id_ed25519.old"], ["id_rsa.txt"]])(
    "%s is one of OpenSSH's",
    async (name) => {
      await write({ "package.json": manifest(), "index.js": "", [name]: "" });
      expect((await withIncluded()).names).toEqual(["index.js", "package.json"]);
    },
  );

  test.each([[".npmrc"], [".env.local"], [".netrc"], ["id_rsa"], ["id_ed25519.bak"]])(
    "%s is somebody's own, also in what was fetched",
    async (name) => {
      await write({ "package.json": manifest(), "index.js": "", [`node_modules/a/${name}`]: "" });
      expect(await withIncluded()).toEqual({
        names: ["index.js", "package.json"],
        notices: [expect.stringContaining(`passwords: node_modules/a/${name};`)],
      });
      await write({ ...go, [`vendor/example.com/b/${name}`]: "", "vendor/modules.txt": "" });
      await rm(join(folder, "package.json"));
      expect((await withIncluded()).names).not.toContain(`vendor/example.com/b/${name}`);
    },
  );

  test("of a library of one's own are not fetched where node_modules leads to it", async () => {
    await write({ "package.json": manifest(), "index.js": "", "lib/index.js": "", "lib/server.key": "" });
    await mkdir(join(folder, "node_modules"));
    await symlink("../lib", join(folder, "node_modules/lib"));
    expect((await withIncluded()).names).toEqual([
      "index.js",
      "lib/index.js",
      "node_modules/lib/index.js",
      "package.json",
    ]);
  });
});

describe("ignore files", () => {
  test(".npmignore speaks Git's language", async () => {
    await write({
      "package.json": manifest(),
      "index.js": "",
      "lib/index.test.js": "",
      "lib/a.js": "",
      "docs/a.md": "",
      ".npmignore": "*.test.js\ndocs/\n.npmignore\n",
    });
    expect(await names()).toEqual(["index.js", "lib/a.js", "package.json"]);
    expect((await readChaincodeSource(folder)).notices).toEqual([".npmignore decided what is left out"]);
  });

  test(".dockerignore has no say, which is said where what it names is large", async () => {
    await write({
      "package.json": manifest(),
      "index.js": "",
      "docs/a.md": "",
      ".dockerignore": "docs\n.dockerignore\n",
    });
    expect(await names()).toEqual([".dockerignore", "docs/a.md", "index.js", "package.json"]);
    expect((await readChaincodeSource(folder)).notices).toEqual([]);
    await write({ "docs/b.bin": "x".repeat(1024 * 1024) });
    expect((await readChaincodeSource(folder)).notices).toEqual([
      ".dockerignore has no say in a package: 3 files that it names (1.0 MiB) are packed; .fabricignore leaves out",
    ]);
  });

  test("package.json and META-INF stay whatever they say", async () => {
    const index = "META-INF/statedb/couchdb/indexes/owner.json";
    await write({ "package.json": manifest(), "index.js": "", [index]: "{}", ".npmignore": "*.json\n.npmignore" });
    const { files } = await readChaincodeSource(folder);
    expect(files.map(({ name }) => name)).toEqual([index, "src/index.js", "src/package.json"]);
  });

  test("node_modules that are left out have to be downloaded", async () => {
    await write({
      "package.json": manifest({ dependencies: { "fabric-shim": "2.5.8" } }),
      "index.js": "",
      "node_modules/fabric-shim/package.json": "{}",
    });
    expect((await readChaincodeSource(folder)).downloads).toEqual([]);
    await write({ ".fabricignore": "node_modules\n" });
    expect(await readChaincodeSource(folder)).toMatchObject({
      downloads: ["fabric-shim"],
      withoutNetwork: `take line 1 (node_modules) out of .fabricignore, in ${folder}`,
    });
  });
});

describe("Node chaincode", () => {
  test.each([
    ["fabric-chaincode-node start", undefined, "index.js"],
    ["set -x && node_modules/.bin/fabric-chaincode-node start", "dist/index.js", "dist/index.js"],
    ["node node_modules/fabric-shim/cli.js start", "./dist/index.js", "dist/index.js"],
    ["fabric-chaincode-node start --module-path lib", undefined, undefined],
    ["node --max-old-space-size=100 dist/main.js --x", undefined, "dist/main.js"],
    ["node node_modules/launcher/cli.js", undefined, undefined],
    ["./start.sh", undefined, undefined],
  ])("npm start as %j with main %j begins with %j", (script, main, entry) => {
    expect(entryOf({ scripts: { start: script }, main })).toBe(entry);
  });

  test("TypeScript that was not compiled is refused, with what to type", async () => {
    await write({
      "package.json": manifest({ main: "dist/index.js", scripts: { start, build: "tsc" } }),
      "src/index.ts": "",
    });
    await expect(readChaincodeSource(folder)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("expected TypeScript to be compiled, found no dist/index.js") as string,
      hint: typedAs("npm run build, or --build"),
    });
    await write({ "dist/index.js": "" });
    await utimes(join(folder, "dist/index.js"), new Date(0), new Date(0));
    expect((await readChaincodeSource(folder)).notices).toEqual([
      typedAs("src/index.ts is newer than dist/index.js: npm run build, or --build"),
    ]);
  });

  test("a start file that is not there is refused, unless the build makes it", async () => {
    await write({ "package.json": manifest({ main: "lib/main.js" }) });
    await expect(readChaincodeSource(folder)).rejects.toThrow(/expected lib\/main.js in .*, found none/);
    await write({ "package.json": manifest({ main: "lib/main.js", scripts: { start, prepare: "tsc" } }) });
    expect((await readChaincodeSource(folder)).notices[0]).toMatch(/the package's prepare script has to make it/);
  });

  test("what is only for development is said to be packed", async () => {
    await write({
      "package.json": manifest({ devDependencies: { typescript: "7" } }),
      "index.js": "",
      "node_modules/typescript/package.json": "{}",
    });
    expect((await readChaincodeSource(folder)).notices).toEqual([
      "typescript only for development, but packed: npm ci --omit=dev makes the package smaller",
    ]);
  });
});

describe("Go chaincode", () => {
  const module =
    "module example.com/cc\n\ngo 1.22\n\nrequire example.com/a v1.0.0\n\nrequire (\n\texample.com/b v1.2.3 // indirect\n)\n";

  test("modules that a go.mod requires", () => {
    expect(readGoMod(module).require).toEqual([
      { path: "example.com/a", version: "v1.0.0" },
      { path: "example.com/b", version: "v1.2.3" },
    ]);
    expect(readGoMod("module x\n").require).toEqual([]);
  });

  test("without vendor its modules have to be downloaded, with it nothing", async () => {
    await write({ "go.mod": module, "main.go": "package main\n" });
    expect((await readChaincodeSource(folder)).downloads).toEqual(["example.com/a v1.0.0", "example.com/b v1.2.3"]);
    await write({
      "vendor/modules.txt": "# example.com/a v1.0.0\n## explicit\nexample.com/a\n# example.com/b v1.2.3\n## explicit\n",
    });
    expect((await readChaincodeSource(folder)).downloads).toEqual([]);
  });

  test("vendored modules that go.mod does not agree with are refused, as Go does", async () => {
    await write({ "go.mod": module, "main.go": "package main\n", "vendor/modules.txt": "# example.com/a v0.9.0\n" });
    await expect(readChaincodeSource(folder)).rejects.toThrow(
      /found no example.com\/a v1.0.0; no example.com\/b v1.2.3/,
    );
  });

  test("a folder without package main is refused", async () => {
    await write({ "go.mod": module, "lib.go": "package chaincode\n", "lib_test.go": "package main\n" });
    await expect(readChaincodeSource(folder)).rejects.toThrow(/expected a Go package main in .*, found chaincode/);
  });
});

describe("a package that is ready", () => {
  const ready = async (type: string, names: readonly string[]) =>
    checkPackageContent(
      await packChaincode(
        { type, path: "", label: "x" },
        names.map((name) => ({ name, content: Buffer.from("x") })),
      ),
    );

  test("its entries are listed", async () => {
    expect(await ready("node", ["src/package.json"])).toEqual([
      { name: "src/package.json", kind: "file", size: 1, mode: 0o644 },
    ]);
  });

  test.each([
    ["node", ["src/index.js"], /expected src\/package.json/],
    ["golang", ["src/go.mod"], /expected Go files below src/],
    ["java", ["src/Main.kt"], /pom.xml/],
    ["ccaas", ["../connection.json"], /expected names inside code.tar.gz, found ..\/connection.json/],
  ])("%s chaincode with %j is refused", async (type, names, message) => {
    await expect(ready(type, names)).rejects.toThrow(message);
  });

  test("what an external builder knows is its own business", async () => {
    expect(await ready("ccaas", ["connection.json"])).toHaveLength(1);
  });
});
