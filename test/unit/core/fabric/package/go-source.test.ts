// Go modules as a peer builds them: vendored or downloaded, within workspaces, with what they embed.
import { describe, expect, test } from "vitest";
import { readGoMod } from "../../../../../core/fabric/package/go-module.ts";
import { sourceFolder } from "./source-folder.ts";

const { write, names, notices, refusal, read } = sourceFolder();
const main = "package main\n\nfunc main() {}\n";
const module = (...lines: readonly string[]) => `module example.com/cc\n\ngo 1.22\n\n${lines.join("\n")}\n`;

test("a go.mod is read in all its forms", () => {
  const text =
    '\ufeffmodule "example.com/cc" // it\r\ngo 1.22.0\r\nrequire (\r\n\texample.com/a v1.0.0 // indirect\r\n\t`example.com/b` v2.0.0+incompatible\r\n)\r\n' +
    'require example.com/c v0.0.1\nreplace example.com/a v1.0.0 => ../a\nreplace (\n\t"example.com/b" => example.com/fork v1.2.3\n)\nexclude example.com/x v1.0.0\n';
  expect(readGoMod(text)).toEqual({
    module: "example.com/cc",
    go: "1.22.0",
    require: [
      { path: "example.com/a", version: "v1.0.0" },
      { path: "example.com/b", version: "v2.0.0+incompatible" },
      { path: "example.com/c", version: "v0.0.1" },
    ],
    replace: [
      { old: { path: "example.com/a", version: "v1.0.0" }, by: { path: "../a", version: "" } },
      { old: { path: "example.com/b", version: "" }, by: { path: "example.com/fork", version: "v1.2.3" } },
    ],
    use: [],
  });
});

describe("vendor/modules.txt", () => {
  const require = "require example.com/lib v1.0.0";
  const vendored = (mod: string, modules: string) =>
    write({
      "go.mod": mod,
      "main.go": main,
      "vendor/modules.txt": modules,
      "vendor/example.com/lib/lib.go": "package lib\n",
    });
  const agree = "usage: expected FOLDER/vendor to agree with go.mod, as Go does, found ";
  const hint = "\ngo mod vendor, in FOLDER";

  test.each([
    [
      "a replace that go.mod no longer has",
      [require],
      "# example.com/lib v1.0.0 => ../lib\n## explicit; go 1.22\nexample.com/lib\n# example.com/lib => ../lib\n",
      "example.com/lib v1.0.0 replaced, which go.mod does not replace; example.com/lib replaced, which go.mod does not replace",
    ],
    [
      "a replace that came later",
      [require, "replace example.com/lib => example.com/fork v1.1.0"],
      "# example.com/lib v1.0.0\n## explicit\nexample.com/lib\n",
      "example.com/lib not replaced by example.com/fork v1.1.0",
    ],
    [
      "a replace by something else",
      [require, "replace example.com/lib => ../new"],
      "# example.com/lib v1.0.0 => ../old\n## explicit\nexample.com/lib\n# example.com/lib => ../old\n",
      "example.com/lib replaced by ../old, and by ../new in go.mod",
    ],
    [
      "a requirement that was indirect",
      [require],
      "# example.com/lib v1.0.0\nexample.com/lib\n",
      "example.com/lib v1.0.0 not marked as explicit",
    ],
    ["a requirement that is not there", [require], "", "no example.com/lib v1.0.0"],
    [
      "a requirement of another version",
      [require],
      "# example.com/lib v1.0.1\n## explicit\nexample.com/lib\n",
      "no example.com/lib v1.0.0; example.com/lib v1.0.1, which go.mod does not require",
    ],
    [
      "a requirement that is gone",
      [],
      "# example.com/lib v1.0.0\n## explicit\nexample.com/lib\n",
      "example.com/lib v1.0.0, which go.mod does not require",
    ],
  ])("with %s is refused, as Go does", async (_, lines, modules, found) => {
    await vendored(module(...lines), modules);
    expect(await refusal()).toBe(`${agree}${found}${hint}`);
  });

  test.each([
    [[require], "# example.com/lib v1.0.0\n## explicit; go 1.22\nexample.com/lib\n"],
    [
      [require, "replace example.com/lib => ../lib"],
      "# example.com/lib v1.0.0 => ../lib\n## explicit\nexample.com/lib\n# example.com/lib => ../lib\n",
    ],
    [
      [require],
      "# example.com/lib v1.0.0\r\n## explicit\r\nexample.com/lib\r\n# example.com/other v1.0.0\r\n## go 1.20\r\nexample.com/other\r\n",
    ],
  ])("that agrees is packed, and needs no network: %j", async (lines, modules) => {
    await vendored(module(...lines), modules);
    expect((await read()).downloads).toEqual([]);
  });

  test("of Go before 1.14 says less, and less is asked of it", async () => {
    await vendored(module(require).replace("1.22", "1.13"), "# example.com/lib v1.0.0\nexample.com/lib\n");
    expect(await names()).toContain("vendor/modules.txt");
    await vendored(module(require).replace("1.22", "1.13"), "# example.com/lib v1.0.1\nexample.com/lib\n");
    expect(await refusal()).toContain("example.com/lib v1.0.0, of which vendor has v1.0.1");
  });

  test("is missing in a vendor folder of one's own", async () => {
    await write({ "go.mod": module(require), "main.go": main, "vendor/own/a.go": "package own\n" });
    expect(await refusal()).toContain("found no example.com/lib v1.0.0");
  });
});

describe("modules that are replaced, without vendor", () => {
  test.each(["../lib", "/opt/lib", "../../x"])("by %s are nowhere in a peer's build", async (path) => {
    await write({
      "cc/go.mod": module("require example.com/lib v0.0.0", `replace example.com/lib => ${path}`),
      "cc/main.go": main,
    });
    expect(await refusal("cc")).toBe(
      `usage: expected modules that the peer's build finds, found example.com/lib replaced by ${path}, outside the module\n` +
        "go mod vendor, in FOLDER/cc: it copies what the chaincode needs of it",
    );
  });

  test("by a folder inside are in the package, by another version are downloaded, unused are nothing", async () => {
    const replaces = ["a => ./a", "b v1.0.0 => example.com/fork v1.1.0", "c => ../c"].map(
      (line) => `replace example.com/${line}`,
    );
    await write({
      "go.mod": module("require example.com/a v0.0.0", "require example.com/b v1.0.0", ...replaces),
      "main.go": main,
    });
    expect((await read()).downloads).toEqual(["example.com/fork v1.1.0"]);
  });
});

describe("a workspace", () => {
  const work = "go 1.22\n\nuse (\n\t./cc\n\t./tools\n)\n";
  const around = { "go.work": work, "tools/go.mod": "module example.com/tools\n", "tools/a.go": "package tools\n" };

  test("has modules that are nowhere to be downloaded", async () => {
    await write({ ...around, "cc/go.mod": module("require example.com/tools v0.0.0"), "cc/main.go": main });
    expect(await refusal("cc")).toBe(
      "usage: expected modules that the peer's build finds, found example.com/tools v0.0.0 only in the workspace of a go.work (../tools)\n" +
        "go mod edit -replace=example.com/tools=../tools && GOWORK=off go mod vendor, in FOLDER/cc",
    );
  });

  test("has modules that go.mod does not even name", async () => {
    await write({
      ...around,
      "cc/go.mod": module(),
      "cc/main.go": 'package main\n\nimport (\n\t"fmt"\n\tt "example.com/tools/sub"\n)\n',
    });
    expect(await refusal("cc")).toContain(
      "found example.com/tools, which main.go imports, only in the workspace of a go.work (../tools)\n" +
        "go mod edit -require=example.com/tools@v0.0.0 -replace=example.com/tools=../tools && GOWORK=off go mod vendor",
    );
  });

  test("may have a module whose path begins that of the chaincode: a package is of the longest", async () => {
    await write({
      "go.work": "go 1.22\n\nuse (\n\t.\n\t./cc\n)\n",
      "go.mod": "module example.com\n",
      "cc/go.mod": module(),
      "cc/main.go": 'package main\n\nimport "example.com/cc/contract"\n',
      "cc/contract/a.go": 'package contract\n\nimport _ "example.com/cc"\n',
    });
    expect(await read("cc")).toMatchObject({ downloads: [] });
  });

  test("may have modules that are published, too: that one is built", async () => {
    await write({
      ...around,
      "cc/go.mod": module("require example.com/tools v1.0.0"),
      "cc/go.sum": "example.com/tools v1.0.0 h1:x\n",
      "cc/main.go": main,
    });
    expect(await notices("cc")).toEqual([
      "example.com/tools v1.0.0 is downloaded, not taken from ../tools: no go.work is packed",
    ]);
    expect(await read("cc")).toMatchObject({
      downloads: ["example.com/tools v1.0.0"],
      withoutNetwork: "GOWORK=off go mod vendor, in the folder",
    });
  });

  test("is never packed", async () => {
    await write({ "go.work": "use .\n", "go.work.sum": "", "a/go.work": "", "go.mod": module(), "main.go": main });
    expect(await names()).toEqual(["go.mod", "main.go"]);
  });

  test("and vendor that disagrees: Go makes vendor outside of it", async () => {
    await write({
      ...around,
      "cc/go.mod": module("require example.com/b v1.0.0"),
      "cc/main.go": main,
      "cc/vendor/modules.txt": "",
    });
    expect(await refusal("cc")).toMatch(/\nGOWORK=off go mod vendor, in FOLDER\/cc$/);
  });
});

describe("what //go:embed names", () => {
  const source = (...lines: readonly string[]) =>
    `package main\n\nimport _ "embed"\n\n${lines.map((line) => `//go:embed ${line}`).join("\n")}\nvar x string\n`;

  test.each([
    ["seed.json", ["seed.json"]],
    ["*.json a.txt", ["a.txt", "seed.json"]],
    ['"with space.txt" `b[0-9].txt`', ["b1.txt", "with space.txt"]],
    ["static", ["static/a.css", "static/sub/b.css"]],
    ["all:static", ["static/.c", "static/_d", "static/a.css", "static/sub/b.css"]],
    [".well-known/x", [".well-known/x"]],
    ["static/*/b.css", ["static/sub/b.css"]],
  ])("%s is packed, whatever leaves it out", async (pattern, expected) => {
    const files = [
      "seed.json",
      "a.txt",
      "b1.txt",
      "bx.txt",
      "with space.txt",
      "static/a.css",
      "static/sub/b.css",
      "static/.c",
      "static/_d",
      ".well-known/x",
    ];
    await write({
      ...Object.fromEntries(files.map((file) => [file, ""])),
      "go.mod": module(),
      "main.go": source(pattern),
    });
    await write({ ".fabricignore": "*\n!*.go\n" });
    expect((await names()).filter((name) => files.includes(name))).toEqual(expected);
  });

  test("in another package of the module is from that folder", async () => {
    await write({
      "go.mod": module(),
      "main.go": main,
      "lib/lib.go": source("a.json").replace("main", "lib"),
      "a.json": "",
      "lib/a.json": "",
    });
    await write({ ".fabricignore": "*.json\n.fabricignore\n" });
    expect(await names()).toEqual(["go.mod", "lib/a.json", "lib/lib.go", "main.go"]);
  });

  test("and looks like a key has to be included", async () => {
    await write({ "go.mod": module(), "main.go": source("tls/ca.pem"), "tls/ca.pem": "" });
    expect(await refusal()).toBe(
      "usage: expected tls/ca.pem in the package, which //go:embed names in main.go, line 5, found it left out by the rule about what looks like a key or a password\n" +
        "--include tls/ca.pem",
    );
    expect(await names("", { include: ["tls/ca.pem"] })).toContain("tls/ca.pem");
  });
});
