import { buffer } from "node:stream/consumers";
import { extract } from "tar-stream";
import { describe, expect, test } from "vitest";
import { nodeLayer, reasonToBuild } from "../../../../../core/chaincode/seed/node-image.ts";
import type { ArchiveFile } from "../../../../../core/fabric/package/tarball.ts";

function files(contents: Readonly<Record<string, string | object>>): readonly ArchiveFile[] {
  return Object.entries(contents).map(([name, content]) => ({
    name,
    content: Buffer.from(typeof content === "string" ? content : JSON.stringify(content)),
  }));
}

/** A chaincode that has all it needs: a direct dependency and one of that, nested. */
const complete = {
  "src/package.json": { scripts: { start: "node a" }, dependencies: { shim: "1.2.3" }, devDependencies: { tsc: "1" } },
  "src/index.js": "1",
  "src/node_modules/shim/package.json": {
    version: "1.2.3",
    bin: { shim: "./cli.js" },
    dependencies: { deep: "^2.0.0", shim: "1.2.3" },
    optionalDependencies: { deep: "^2.0.0" },
  },
  "src/node_modules/shim/cli.js": "#!/usr/bin/env node",
  "src/node_modules/shim/node_modules/@a/b/package.json": { version: "1.0.0", bin: "bin/b.js" },
  "src/node_modules/shim/node_modules/@a/b/bin/b.js": "2",
  "META-INF/statedb/couchdb/indexes/i.json": "{}",
} as const;

const shim = complete["src/node_modules/shim/package.json"];
const root = complete["src/package.json"];

describe("a Node package", () => {
  test("that has all it needs is not built", () => {
    expect(reasonToBuild(files(complete))).toBeUndefined();
  });

  test.each<[string, Readonly<Record<string, string | object>>, RegExp]>([
    ["without package.json", { "src/package.json": "{" }, /no package.json/],
    ["with a script of its own", { "src/package.json": { ...root, scripts: { prepare: "tsc" } } }, /prepare script/],
    ["with a lock file", { "src/package-lock.json": {} }, /package-lock.json/],
    ["with a native module", { "src/node_modules/shim/build/x.node": "" }, /x.node/],
    ["with one to be compiled", { "src/node_modules/shim/binding.gyp": "" }, /binding.gyp/],
    ["that lacks a dependency", { "src/package.json": { ...root, dependencies: { other: "*" } } }, /other is not in/],
    ["with another version", { "src/package.json": { ...root, dependencies: { shim: "1.2.4" } } }, /1.2.3 instead of/],
    [
      "that lacks a dependency's dependency",
      { "src/node_modules/shim/package.json": { ...shim, dependencies: { gone: "1" } } },
      /gone is not in/,
    ],
    [
      "whose dependency has a script",
      { "src/node_modules/shim/package.json": { ...shim, scripts: { postinstall: "node x" } } },
      /postinstall script of shim/,
    ],
  ])("%s is built", (_, change, reason) => {
    expect(reasonToBuild(files({ ...complete, ...change }))).toMatch(reason);
  });

  test("finds a dependency above, as Node does, and ends where dependencies go round", () => {
    const nested = { "src/node_modules/shim/node_modules/@a/b/package.json": { dependencies: { shim: "^1" } } };
    const asked = { "src/node_modules/shim/package.json": { ...shim, dependencies: { "@a/b": "*" } } };
    expect(reasonToBuild(files({ ...complete, ...nested, ...asked }))).toBeUndefined();
  });

  test("of which protobufjs only warns of version ranges", () => {
    const warns = {
      "src/node_modules/protobufjs/package.json": { scripts: { postinstall: "node scripts/postinstall" } },
    };
    expect(reasonToBuild(files({ ...complete, ...warns }))).toBeUndefined();
  });
});

describe("its layer", () => {
  const entriesOf = async (bytes: Buffer) => {
    const entries: string[] = [];
    const tar = extract();
    tar.end(bytes);
    for await (const entry of tar) {
      const { name, type, mode, uid, gid, mtime, linkname } = entry.header;
      expect([uid, gid, mtime?.getTime()]).toEqual([0, 0, 0]);
      entries.push(`${type?.at(0)} ${(mode ?? 0).toString(8)} ${name}${linkname ? ` -> ${linkname}` : ""}`);
      entry.resume();
    }
    return entries;
  };

  test("holds the sources and the commands of what is installed", async () => {
    expect(await entriesOf(await buffer(nodeLayer(files(complete))))).toEqual([
      "d 755 usr/",
      "d 755 usr/local/",
      "d 755 usr/local/src/",
      "d 755 usr/local/src/node_modules/",
      "d 755 usr/local/src/node_modules/.bin/",
      "d 755 usr/local/src/node_modules/shim/",
      "d 755 usr/local/src/node_modules/shim/node_modules/",
      "d 755 usr/local/src/node_modules/shim/node_modules/.bin/",
      "d 755 usr/local/src/node_modules/shim/node_modules/@a/",
      "d 755 usr/local/src/node_modules/shim/node_modules/@a/b/",
      "d 755 usr/local/src/node_modules/shim/node_modules/@a/b/bin/",
      "f 644 usr/local/src/index.js",
      "s 777 usr/local/src/node_modules/.bin/shim -> ../shim/cli.js",
      "f 755 usr/local/src/node_modules/shim/cli.js",
      "s 777 usr/local/src/node_modules/shim/node_modules/.bin/b -> ../@a/b/bin/b.js",
      "f 755 usr/local/src/node_modules/shim/node_modules/@a/b/bin/b.js",
      "f 644 usr/local/src/node_modules/shim/node_modules/@a/b/package.json",
      "f 644 usr/local/src/node_modules/shim/package.json",
      "f 644 usr/local/src/package.json",
    ]);
  });

  test("is the same whatever the order of the files", async () => {
    const [forwards, backwards] = await Promise.all(
      [files(complete), files(complete).toReversed()].map((some) => buffer(nodeLayer(some))),
    );
    expect(forwards?.equals(backwards ?? Buffer.of())).toBe(true);
  });

  test("no command of a package leads out of it", async () => {
    const bad = { "src/node_modules/shim/package.json": { ...shim, bin: { "../../x": "../../../../etc/passwd" } } };
    const entries = await entriesOf(await buffer(nodeLayer(files({ ...complete, ...bad }))));
    expect(entries.filter((entry) => entry.startsWith("s"))).toHaveLength(1);
  });
});
