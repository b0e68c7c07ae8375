// What decides what a package holds: docs/packages.md, "What is what".
import { describe, expect, test } from "vitest";
import { sourceFolder } from "./source-folder.ts";

const { write, names, refusal, read } = sourceFolder();
const manifest = (more: object = {}) =>
  JSON.stringify({ main: "dist/index.js", scripts: { start: "fabric-chaincode-node start" }, ...more });
const node = { "package.json": manifest(), "dist/index.js": "" };
const installed = ["src/index.js", "lib/index.js", "build/src/index.js", "dist/index.js", "a.test.js", "test/a.js"];

describe(".npmignore", () => {
  test("never has a say in node_modules, whatever it names", async () => {
    const library = Object.fromEntries(installed.map((path) => [`node_modules/@own/lib/${path}`, ""]));
    await write({
      ...node,
      ...library,
      "src/index.ts": "",
      "test/a.js": "",
      ".npmignore": "src\nlib\nbuild\ndist/*.map\n**/test\n*.test.js\nnode_modules\n",
    });
    expect(await names()).toEqual([".npmignore", "dist/index.js", ...Object.keys(library).toSorted(), "package.json"]);
  });

  test("is not looked at beside .fabricignore, nor where package.json says which files are published", async () => {
    await write({ ...node, "a.md": "", "b.md": "", ".npmignore": "a.md\n", ".fabricignore": "b.md\n.*ignore\n" });
    expect(await names()).toEqual(["a.md", "dist/index.js", "package.json"]);
    await write({ ".fabricignore": "", "package.json": manifest({ files: ["dist"] }) });
    expect(await names()).toContain("a.md");
  });

  test("is none of Go's and Java's business", async () => {
    await write({ "go.mod": "module a\n", "main.go": "package main\n", ".npmignore": "main.go\n" });
    expect(await names()).toEqual([".npmignore", "go.mod", "main.go"]);
  });
});

describe(".fabricignore", () => {
  test.each([
    ["node", { ...node, "node_modules/a/a.md": "" }],
    ["golang", { "go.mod": "module a\n", "main.go": "package main\n", "vendor/b/a.md": "" }],
    ["java", { "pom.xml": "", "src/A.java": "", "docs/a.md": "" }],
  ])("leaves out of every language: %s", async (_, files) => {
    await write({ ...files, "keep.md": "", ".fabricignore": "# texts\r\n*.md\r\n!keep.md\r\n.fabricignore\r\n" });
    const all = Object.keys(files).filter((name) => !name.endsWith("a.md"));
    expect(await names()).toEqual([...all, "keep.md"].toSorted());
  });

  test("of the folder to build counts in a Go module, too", async () => {
    await write({ "go.mod": "module a\n", "cc/main.go": "package main\n", "cc/a.md": "", "b.md": "" });
    await write({ ".fabricignore": "/b.md\n.fabricignore\n", "cc/.fabricignore": "/a.md\n" });
    expect(await names("cc")).toEqual(["cc/main.go", "go.mod"]);
  });

  test("cannot leave out what a package needs", async () => {
    const index = "META-INF/statedb/couchdb/indexes/a.json";
    await write({ "go.mod": "module a\n", "go.sum": "", "main.go": "package main\n", [index]: "{}" });
    await write({ ".fabricignore": "*\n!main.go\n" });
    expect(await names()).toEqual([index, "go.mod", "go.sum", "main.go"]);
  });

  test("of Java leaves the build files in", async () => {
    const build = ["build.gradle.kts", "pom.xml", "settings.gradle"];
    await write({ ...Object.fromEntries(build.map((name) => [name, ""])), "a.txt": "", ".fabricignore": "*\n" });
    expect(await names()).toEqual(build);
  });

  test.each([
    [
      "dist/",
      'usage: expected dist/index.js in FOLDER, which "npm start" runs, found it left out by line 2 of .fabricignore (dist/)',
    ],
    [
      "*.js",
      'usage: expected dist/index.js in FOLDER, which "npm start" runs, found it left out by line 2 of .fabricignore (*.js)',
    ],
  ])("that names the program is refused: %s", async (pattern, message) => {
    await write({ ...node, ".fabricignore": `a\n${pattern}\n` });
    expect(await refusal()).toBe(`${message}\ntake that line out of .fabricignore, or add: !${pattern}`);
  });

  test.each([
    ['const { B } = require("./b");', "dist/b"],
    ["import { C } from '../lib/c.js';", "lib/c.js"],
    ['export * from "./d"', "dist/d"],
  ])("that names what the program requires is refused: %s", async (text, name) => {
    await write({ ...node, "dist/index.js": `require("./a");`, "dist/a.js": text });
    await write({ "dist/b.js": "", "lib/c.js": "", "dist/d/index.js": "", ".npmignore": "b.js\nlib\ndist/d\n" });
    expect(await refusal()).toContain(
      `expected ${name} in the package, which dist/a.js requires, found it left out by line`,
    );
  });

  test("that names the main package is refused", async () => {
    await write({ "go.mod": "module a\n", "main.go": "package main\n", ".fabricignore": "*.go\n" });
    expect(await refusal()).toContain("main.go is left out by line 1 of .fabricignore (*.go)");
  });

  test("that is no text of patterns is no crash", async () => {
    await write({ ...node, ".fabricignore": "\ufeffa.md\n[z-a]\n\\\n!\n/\n[" });
    expect(await names()).toContain("dist/index.js");
  });
});

test(".dockerignore and .gitignore have no say", async () => {
  await write({
    "build.gradle": "",
    "src/A.java": "",
    "libs/a.jar": "",
    ".dockerignore": "*\n!libs/*.jar\n",
    ".gitignore": "libs\n",
  });
  expect(await names()).toEqual([".dockerignore", ".gitignore", "build.gradle", "libs/a.jar", "src/A.java"]);
});

test("what left out each path is told", async () => {
  await write({
    ...node,
    ".git": "gitdir: x",
    "a/b.md": "",
    "server.key": "",
    "package-lock.json": "",
    ".fabricignore": "\na\n",
  });
  await write({ "node_modules/.bin/x": "", "node_modules/x/index.js": "" });
  const { leftOut } = await read();
  expect(
    leftOut.map(({ path, rule, file, line }) => [path, rule, ...(file === undefined ? [] : [file, line])]),
  ).toEqual([
    [".git", ".git"],
    ["a/", "a", ".fabricignore", 2],
    ["node_modules/.bin/", "node_modules/.bin, .cache, .package-lock.json"],
    ["package-lock.json", "package-lock.json, npm-shrinkwrap.json beside packed node_modules"],
    ["server.key", "what looks like a key or a password"],
  ]);
});
