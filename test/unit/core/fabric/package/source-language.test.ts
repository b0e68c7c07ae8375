// Which language a folder is in: the only one that it can be, or the one that is asked for.
import { describe, expect, test } from "vitest";
import { sourceFolder } from "./source-folder.ts";

const { write, names, notices, refusal, read } = sourceFolder();
const chaincode = JSON.stringify({ scripts: { start: "fabric-chaincode-node start" } });
const tooling = JSON.stringify({ private: true, scripts: { lint: "x" }, devDependencies: { husky: "9" } });
const go = { "go.mod": "module example.com/cc\n", "main.go": "package main\n" };
const index = "META-INF/statedb/couchdb/indexes/a.json";

describe("one language", () => {
  test.each([
    ["node", { "package.json": chaincode, "index.js": "" }],
    [
      "node",
      {
        "package.json": JSON.stringify({ scripts: { start: "node ." }, dependencies: { "fabric-shim": "2" } }),
        "index.js": "",
      },
    ],
    [
      "node",
      {
        "package.json": JSON.stringify({ main: "dist/a.js", scripts: { start: "node ." } }),
        "dist/a.js": "",
        "src/a.d.ts": "",
      },
    ],
    ["golang", go],
    ["java", { "pom.xml": "" }],
    ["java", { "build.gradle": "" }],
    ["java", { "build.gradle.kts": "" }],
    ["java", { "basic.jar": "", "lib/shim.jar": "", [index]: "{}" }],
  ])("%s: %j", async (language, files) => {
    await write(files);
    const source = await read();
    expect(source.language).toBe(language);
    expect(source.notices).toEqual([]);
    expect(source.files.map(({ name }) => name.replace(/^src\//, ""))).toEqual(Object.keys(files).toSorted());
  });

  test.each([
    ["golang", go, "Go by go.mod"],
    ["java", { "pom.xml": "" }, "Java by pom.xml"],
    ["java", { "cc.jar": "" }, "Java by jars"],
  ])("%s beside a package.json of tools, which is said", async (language, files, by) => {
    await write({ ...files, "package.json": tooling });
    expect((await read()).language).toBe(language);
    expect(await notices()).toEqual([
      `packaged as ${by}: package.json has neither a start script nor fabric-shim; --language node takes it as Node`,
    ]);
  });

  test.each([
    [
      "node beside a module without a main package",
      { "package.json": chaincode, "index.js": "", "go.mod": "module a\n", "a.go": "package a\n" },
      "node",
    ],
    ["node beside jars", { "package.json": chaincode, "index.js": "", "lib/a.jar": "" }, "node"],
    ["java beside jars", { "pom.xml": "", "lib/a.jar": "" }, "java"],
  ])("%s", async (_, files, language) => {
    await write(files);
    expect((await read()).language).toBe(language);
  });
});

describe("jars", () => {
  test.each(["cc/a.jar", "cc/lib/a.jar", "cc/libs/a.jar"])(
    "at %s are Java within a repository that has a go.mod",
    async (jar) => {
      await write({ ...go, [jar]: "", [`cc/${index}`]: "{}" });
      expect(await read("cc")).toMatchObject({ language: "java", downloads: [] });
      expect(await names("cc")).toEqual([index, jar.slice(3)]);
    },
  );

  test("of a build's wrapper are none", async () => {
    await write({ "gradle/wrapper/gradle-wrapper.jar": "", "gradle-wrapper.jar": "" });
    expect(await refusal()).toContain(
      "expected package.json, go.mod, pom.xml, build.gradle or jars in FOLDER, found none",
    );
  });

  test("that an ignore file leaves out are no package", async () => {
    await write({ "a.jar": "", ".fabricignore": "*.jar\n" });
    expect(await refusal()).toBe(
      "usage: expected src/pom.xml, src/build.gradle or a jar in the package of FOLDER, found none: see .fabricignore",
    );
  });

  test("lie where a build has put them, too", async () => {
    await write({ "a.jar": "", "build/b.jar": "" });
    expect(await names()).toEqual(["a.jar", "build/b.jar"]);
  });
});

describe("several languages", () => {
  const both = { ...go, "package.json": chaincode, "index.js": "" };

  test.each([
    [both, "go.mod with package main and package.json", "golang", "node"],
    [{ "package.json": chaincode, "index.js": "", "pom.xml": "" }, "package.json and pom.xml", "node", "java"],
    [{ ...go, "build.gradle": "" }, "go.mod with package main and build.gradle", "golang", "java"],
  ])("are asked for: %j", async (files, found, one, other) => {
    await write(files);
    expect(await refusal()).toBe(
      `usage: expected chaincode in one language in FOLDER, found ${found}\nsay which: --language ${one} or --language ${other}`,
    );
    for (const language of [one, other] as const) {
      expect((await read("", { language: language as "node" })).language).toBe(language);
    }
  });

  test.each([
    [{ "package.json": chaincode }, "golang", "expected go.mod in FOLDER, for chaincode in Go, found none"],
    [go, "node", "expected package.json in FOLDER, for chaincode in Node, found none"],
    [go, "java", "expected pom.xml, build.gradle or jars in FOLDER, for chaincode in Java, found none"],
  ] as const)("that are not there: %j as %s", async (files, language, message) => {
    await write(files);
    expect(await refusal("", { language })).toBe(`usage: ${message}`);
  });
});

test.each([
  ["{", "usage: expected JSON in FOLDER/package.json"],
  ["[]", "usage: expected an object in FOLDER/package.json, found []"],
  ["null", "usage: expected an object in FOLDER/package.json, found null"],
  [tooling, "usage: expected a start script in FOLDER/package.json, found none"],
])("a package.json alone: %s", async (text, message) => {
  await write({ "package.json": text });
  expect(await refusal()).toContain(message);
});

test("a byte order mark before it is passed over, as npm does", async () => {
  await write({ "package.json": `\ufeff${chaincode}`, "index.js": "" });
  expect((await read()).language).toBe("node");
});
