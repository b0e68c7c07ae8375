// Production dependencies of a lock file, installed for the package alone: by an npm of the test's own, which does what it is told here.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { preparePackage, checkSource } from "../../../../../core/chaincode/package/package-source.ts";
import { isOfPackages, lockedPackages } from "../../../../../core/chaincode/package/npm-lock.ts";
import type { Remedy } from "../../../../../core/remedy.ts";
import { typed } from "../../../../../plugin/terminal/remedy.ts";
import { typedAs } from "../../../../typed-as.ts";

let top: string;
const at = (...names: readonly string[]) => join(top, ...names);
async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(at(path)), { recursive: true });
    await writeFile(at(path), content);
  }
}

/** An npm that installs node_modules/lib, and one package too many. */
const working =
  'printf "%s\\n" "$@" > "$RECORD"; pwd >> "$RECORD"; for p in lib extra lib/node_modules/deep .bin; do mkdir -p "node_modules/$p"; ' +
  'echo "{}" > "node_modules/$p/package.json"; done; echo x > "$PWD/node_modules/lib/index.js"';
async function npm(script: string): Promise<void> {
  await write({ "bin/npm": `#!/bin/sh\n${script}\n` });
  await chmod(at("bin/npm"), 0o755);
}

const locked = (more: object = {}) => ({
  version: "1.0.0",
  resolved: "https://registry.example/a.tgz",
  integrity: "sha512-x",
  ...more,
});
const dependencies = { lib: "^1.0.0" };
const manifest = { scripts: { start: "fabric-chaincode-node start" }, dependencies };
const packages = {
  "": { dependencies },
  "node_modules/lib": locked(),
  "node_modules/lib/node_modules/deep": locked(),
  "node_modules/tool": locked({ dev: true }),
};
const lock = (all: object = packages) => JSON.stringify({ lockfileVersion: 3, packages: all });
const cc = (text = lock()) => ({
  "cc/package.json": JSON.stringify(manifest),
  "cc/index.js": "",
  "cc/package-lock.json": text,
  "cc/node_modules/lib/index.js": "mine",
});

beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), "bundle-"));
  await mkdir(at("tmp"));
  await npm(working);
  vi.stubEnv("PATH", `${at("bin")}${delimiter}${process.env["PATH"]}`);
  vi.stubEnv("TMPDIR", at("tmp"));
  vi.stubEnv("RECORD", at("record"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(top, { recursive: true, force: true });
});

const prepare = async (bundle?: boolean, signal?: AbortSignal) => {
  const notices: Remedy[] = [];
  const { entries, pkg } = await preparePackage(
    at("cc"),
    "a",
    { bundle, notice: (text) => void notices.push(text) },
    signal,
  );
  return { names: entries.map(({ name }) => name), id: pkg.id, notices: notices.map((notice) => typed(notice)) };
};
const bundled = [
  "src/index.js",
  "src/node_modules/lib/index.js",
  "src/node_modules/lib/node_modules/deep/package.json",
  "src/node_modules/lib/package.json",
  "src/package.json",
];
const asTheyLie = ["src/index.js", "src/node_modules/lib/index.js", "src/package.json"];

describe("a bundle", () => {
  test("is made of the lock file, whatever lies in node_modules; nothing of the folder changes, nothing stays", async () => {
    await write(cc());
    const { names, id } = await prepare();
    expect(names.toSorted()).toEqual(bundled);
    expect(await readFile(at("record"), "utf8")).toMatch(/^ci\n--omit=dev\n--ignore-scripts\n--os=linux\n/);
    expect(await readdir(at("tmp"))).toEqual([]);
    expect(await readdir(at("cc/node_modules/lib"))).toEqual(["index.js"]);
    await rm(at("cc/node_modules"), { recursive: true });
    await write({ "cc/node_modules/other/index.js": "" });
    expect((await prepare()).id).toBe(id);
  });

  test("is not made with --no-bundle, nor where npm is missing", async () => {
    await write(cc());
    expect((await prepare(false)).names).toEqual(asTheyLie);
    vi.stubEnv("PATH", at("tmp"));
    const { names, notices } = await prepare();
    expect(names).toEqual(asTheyLie);
    expect(notices).toEqual(["not bundled: there is no npm on the PATH; with one, the package ID is another"]);
    await expect(prepare(true)).rejects.toMatchObject({ code: "usage", hint: "is npm on the PATH?" });
  });

  test("lacks what npm leaves out where it does not fit", async () => {
    const optional = locked({ optional: true });
    const glibc = { "node_modules/for-glibc": { ...optional, libc: ["glibc"] }, "node_modules/for-node-99": optional };
    await write(cc(lock({ ...packages, ...glibc })));
    expect((await prepare()).names.toSorted()).toEqual(bundled);
    expect(lockedPackages(lock({ ...packages, ...glibc }), manifest, false)).toMatchObject({
      folders: new Set(["node_modules/lib", "node_modules/lib/node_modules/deep", "node_modules/for-node-99"]),
      needed: new Set(["node_modules/lib", "node_modules/lib/node_modules/deep"]),
    });
  });

  test("is nothing for a package, of which all is decided", async () => {
    await write(cc());
    const { pkg } = await preparePackage(at("cc"), "a", { bundle: false });
    await writeFile(at("cc.tar.gz"), pkg.bytes);
    await expect(checkSource(at("cc.tar.gz"), "a", {})).resolves.toBeUndefined();
    for (const [bundle, option] of [
      [true, "--bundle"],
      [false, "--no-bundle"],
    ] as const) {
      await expect(checkSource(at("cc.tar.gz"), "a", { bundle })).rejects.toThrow(`expected ${option} with a folder`);
    }
  });

  test("that npm cannot make is refused with its last words, and what to type", async () => {
    await write(cc());
    await npm(
      'echo "npm error code E404" >&2; echo "npm error 404 no lib" >&2; echo "npm error A complete log of this run" >&2; exit 1',
    );
    await expect(prepare()).rejects.toMatchObject({
      code: "usage",
      message: `expected npm ci to install what ${at("cc")} needs, found exit code 1: code E404; 404 no lib`,
      hint: typedAs("--no-bundle packs node_modules as they lie"),
    });
    await npm("mkdir node_modules");
    await expect(prepare()).rejects.toThrow("found no node_modules/lib, of package-lock.json");
    expect(await readdir(at("tmp"))).toEqual([]);
  });

  test("that is interrupted leaves nothing", async () => {
    await write(cc());
    const ending = new AbortController();
    ending.abort(new Error("stopped"));
    await expect(prepare(undefined, ending.signal)).rejects.toThrow("stopped");
    expect(await readdir(at("tmp"))).toEqual([]);
  });

  test("is not waited for to tell what is wrong with the folder itself", async () => {
    await write({ ...cc(), "cc/package.json": JSON.stringify({ ...manifest, main: "dist/a.js" }) });
    await expect(prepare()).rejects.toThrow("expected dist/a.js");
    await expect(checkSource(at("cc"), "a", {})).rejects.toThrow("expected dist/a.js");
    await expect(readFile(at("record"))).rejects.toThrow("ENOENT");
  });

  test("is of Node chaincode", async () => {
    await write({ "cc/go.mod": "module a\n", "cc/main.go": "package main\n" });
    expect((await prepare()).names).toEqual(["src/go.mod", "src/main.go"]);
    await expect(prepare(true)).rejects.toThrow("expected --bundle with a folder of Node chaincode");
  });
});

describe("a lock file that is not for a bundle", () => {
  const with_ = (more: object) => lock({ ...packages, ...more });

  test.each([
    ["of npm 6", '{"lockfileVersion":1,"dependencies":{}}', "its lock file is none of npm 7 or later"],
    ["with the marks of a merge", "<<<<<<< HEAD", "its lock file is none of npm 7 or later"],
    ["without names", with_({ "": { dependencies: null } }), "its lock file and package.json disagree"],
    [
      "of other dependencies",
      with_({ "": { dependencies: { lib: "^2.0.0" } } }),
      "its lock file and package.json disagree",
    ],
    [
      "with a link",
      with_({ "node_modules/own": { link: true, resolved: "own" } }),
      "a package of the folder's own (node_modules/own)",
    ],
    [
      "from git",
      with_({ "node_modules/own": { resolved: "git+ssh://git@example.com/own.git#0a" } }),
      "does not say where own comes from",
    ],
    [
      "with an addon",
      with_({ "node_modules/addon": locked({ hasInstallScript: true }) }),
      "addon has to run an install script",
    ],
  ])("%s packs node_modules as they lie; asked for, it is refused", async (_, text, because) => {
    await write(cc(text));
    expect((await prepare()).names).toEqual(asTheyLie);
    await expect(prepare(true)).rejects.toMatchObject({
      code: "usage",
      hint: typedAs(expect.stringContaining(because)),
    });
  });

  test("with an addon is said", async () => {
    await write(cc(with_({ "node_modules/@own/addon": locked({ hasInstallScript: true }) })));
    expect((await prepare()).notices).toEqual([
      "not bundled: @own/addon has to run an install script, where the chaincode runs",
    ]);
  });

  test("because addresses are missing is one where a bundle is asked for", async () => {
    await write(cc(lock({ ...packages, "node_modules/lib": { version: "1.0.0", integrity: "sha512-x" } })));
    expect((await prepare()).names).toEqual(asTheyLie);
    expect((await prepare(true)).names.toSorted()).toEqual(bundled);
  });

  test.each([
    ["cc/pnpm-lock.yaml", "pnpm install --prod --node-linker=hoisted"],
    ["cc/yarn.lock", "nodeLinker: node-modules"],
    ["package-lock.json", "for all of a workspace: npm install --no-workspaces"],
    ["cc/README.md", "it has no lock file: npm install --package-lock-only"],
  ])("since there is %s", async (name, hint) => {
    await write({ ...cc(), "package.json": "{}", [name]: "" });
    await rm(at("cc/package-lock.json"));
    await expect(prepare(true)).rejects.toMatchObject({ hint: typedAs(expect.stringContaining(hint)) });
  });
});

test("what a lock file brings: production, for Linux on x64, but no addon that is optional", () => {
  const all = {
    ...packages,
    "node_modules/fsevents": locked({ optional: true, os: ["darwin"], hasInstallScript: true }),
    "node_modules/x64": locked({ optional: true, os: ["linux"], cpu: ["x64"] }),
    "node_modules/arm": locked({ optional: true, cpu: ["arm64"] }),
    "node_modules/notlinux": locked({ os: ["!linux"] }),
    "node_modules/protobufjs": locked({ hasInstallScript: true }),
    "node_modules/lib/node_modules/inside": { version: "1", inBundle: true },
  };
  const needed = [
    "node_modules/lib",
    "node_modules/lib/node_modules/deep",
    "node_modules/protobufjs",
    "node_modules/lib/node_modules/inside",
  ];
  expect(lockedPackages(lock(all), manifest, false)).toEqual({
    folders: new Set([...needed, "node_modules/x64"]),
    needed: new Set(needed),
    ofProcessor: ["x64"],
  });
});

test.each([
  ["node_modules", true],
  ["node_modules/a/lib/x.js", true],
  ["node_modules/a/node_modules", true],
  ["node_modules/a/node_modules/b/x.js", false],
  ["node_modules/a/test/node_modules/b/x.js", true],
  ["node_modules/@s", true],
  ["node_modules/@s/c/x.js", true],
  ["node_modules/@s/d/x.js", false],
  ["node_modules/b", false],
  ["package.json", false],
])("%s is of the packages: %s", (path, expected) => {
  expect(isOfPackages(new Set(["node_modules/a", "node_modules/@s/c"]), path)).toBe(expected);
});
