// What "npm start" runs: in a peer's container, after a build without devDependencies.
import { describe, expect, test } from "vitest";
import { entryOf } from "../../../../../core/fabric/package/node-start.ts";
import { commandsOf } from "../../../../../core/fabric/package/script-words.ts";
import { sourceFolder } from "./source-folder.ts";

const { write, names, notices, refusal } = sourceFolder();
const manifest = (scripts: object, more: object = {}) => JSON.stringify({ main: "dist/index.js", scripts, ...more });
const start = "fabric-chaincode-node start";

test.each([
  ['a  \'b c\' "d\\"e"f', [["a", "b c", 'd"ef']]],
  ["a && b;c || d", [["a"], ["b"], ["c"], ["d"]]],
  ["", []],
  ["a\\ b c", [["a b", "c"]]],
])("the words of %j", (script, words) => {
  expect(commandsOf(script).map((command) => command.words)).toEqual(words);
});

describe("the program of npm start", () => {
  test.each([
    ["node .", "dist/index.js"],
    ["node ./", "dist/index.js"],
    ["node ./dist", "dist"],
    ["node -r dotenv/config dist/index.js", "dist/index.js"],
    ["node --require source-map-support/register ./dist", "dist"],
    ["node --import tsx --loader=x --env-file .env --env-file=.env dist/a.js b.js", "dist/a.js"],
    ["node -C production --title 'a b' --max-old-space-size=100 dist/a.js", "dist/a.js"],
    ["node 'dist/index.js'", "dist/index.js"],
    ['node "dist/in dex.js"', "dist/in dex.js"],
    ["NODE_ENV=production exec node dist/a.js", "dist/a.js"],
    ["cross-env A=b node dist/a.js", "dist/a.js"],
    ["set -x && node dist/a.js", "dist/a.js"],
    ["npm run serve", "lib/serve.js"],
    ["npx fabric-chaincode-node start", "dist/index.js"],
    ["node -- dist/a.js", "dist/a.js"],
    ["node -e 1", undefined],
    ["node $FILE", undefined],
    ["cd dist && node a.js", undefined],
    ["npm run start", undefined],
    ["ts-node src/index.ts", undefined],
  ])("%s", (script, entry) => {
    expect(entryOf({ main: "./dist/index.js", scripts: { start: script, serve: "node lib/serve.js" } })).toBe(entry);
  });

  test("of a folder without main is index.js", () => {
    expect(entryOf({ scripts: { start: "node ." } })).toBe("index.js");
  });

  test.each(["sh start.sh", "bash ./bin/run.sh", "./start.sh"])("%s is a file that has to be there", async (script) => {
    await write({ "package.json": manifest({ start: script }) });
    const name = script.replace(/^(sh|bash) /, "").replace("./", "");
    expect(await refusal()).toBe(`usage: expected ${name} in FOLDER, which "npm start" runs, found none`);
  });

  test("a file of a package is never executable", async () => {
    await write({ "package.json": manifest({ start: "./start.sh" }), "start.sh": "" });
    expect(await refusal()).toBe(
      "usage: expected a start script that a peer can run, found ./start.sh: no file of a package is executable\n" +
        '"start": "sh start.sh"',
    );
    await write({ "package.json": manifest({ start: "sh start.sh" }) });
    expect(await names()).toEqual(["package.json", "start.sh"]);
  });
});

describe("scripts that need devDependencies", () => {
  const typescript = { devDependencies: { typescript: "5", "ts-node": "10", husky: "9", "@own/make": "1" } };
  const folder = (scripts: object, more: object = typescript) => ({
    "package.json": manifest({ build: "tsc -p .", start, ...scripts }, more),
    "src/index.ts": "",
  });

  test.each([
    ["prestart", "npm run build", "tsc at each start of the container"],
    ["prestart", "tsc", "tsc at each start of the container"],
    ["prestart", "make all", "make at each start of the container"],
    ["start", "npm run build && node .", "tsc at each start of the container"],
    ["start", "ts-node src/index.ts", "ts-node at each start of the container"],
    ["start", "npx ts-node src/index.ts", "ts-node at each start of the container"],
    ["start", "node -r ts-node/register src/index.ts", "ts-node at each start of the container"],
    ["prepare", "husky", "husky in the peer's build"],
    ["postinstall", "npm run build", "tsc in the peer's build"],
  ])("%s: %s is refused, compiled or not", async (script, text, runs) => {
    for (const compiled of [{}, { "dist/index.js": "" }]) {
      await write({ ...folder({ [script]: text }), ...compiled });
      const refused = await refusal();
      expect(refused).toContain("usage: expected scripts that need no devDependencies, found ");
      expect(refused).toContain(`${script} in FOLDER/package.json, which runs ${runs}, where no devDependency is`);
    }
  });

  test.each([
    ["prepare", "husky || true"],
    ["poststart", "tsc"],
  ])("%s: %s is said", async (script, text) => {
    await write({ ...folder({ [script]: text }), "dist/index.js": "" });
    expect(await notices()).toEqual([
      expect.stringContaining(`a script needs what is only for development: ${script} in`),
    ]);
  });

  test.each([
    [{ prestart: "tsc" }, { dependencies: { typescript: "5" }, devDependencies: { typescript: "5" } }],
    [{ prestart: "echo hello && rm -rf tmp" }, typescript],
    [{ pretest: "tsc", prepublishOnly: "tsc" }, typescript],
    [{ prestart: "npm run prestart" }, typescript],
    [{ prestart: "rimraf tmp" }, { dependencies: { rimraf: "6" }, devDependencies: { "@types/rimraf": "5" } }],
    [{ prestart: "tsc" }, { dependencies: { typescript: "5" }, devDependencies: { "@own/tsc": "1" } }],
  ])("%j is nothing to say", async (scripts, more) => {
    await write({ ...folder(scripts, more), "dist/index.js": "" });
    expect(await notices()).toEqual([]);
  });

  test("commands are known by the package that is installed, too", async () => {
    await write({ ...folder({ prestart: "compile" }), "dist/index.js": "" });
    expect(await notices()).toEqual([]);
    await write({ "node_modules/@own/make/package.json": '{"bin":{"compile":"x.js"}}' });
    expect(await refusal()).toContain("(@own/make)");
  });
});

test("a script that only tidies up is none that compiles", async () => {
  await write({ "package.json": manifest({ start, build: "tsc", postinstall: "npm dedupe" }), "src/index.ts": "" });
  expect(await refusal()).toContain("expected TypeScript to be compiled, found no dist/index.js");
});

describe("a server", () => {
  const shim = { dependencies: { "fabric-shim": "2" } };

  test("that also dials where it is told no address is taken", async () => {
    const both = 'sh -c "fabric-chaincode-node server" || fabric-chaincode-node start';
    await write({ "package.json": manifest({ start: both }, shim), "dist/index.js": "" });
    expect(await notices()).toEqual([]);
  });

  test.each([
    "fabric-chaincode-node server --chaincode-address=$A --chaincode-id=$B",
    "node node_modules/fabric-shim/cli.js server",
    "npm run serve",
  ])("started by %s is refused, with the runtime that it is for", async (script) => {
    await write({
      "package.json": manifest({ start: script, serve: "fabric-chaincode-node server" }, shim),
      "dist/index.js": "",
    });
    expect(await refusal()).toBe(
      "usage: expected chaincode that dials its peer, found a server: npm start in FOLDER runs fabric-chaincode-node server\n" +
        "a server runs as a service, from an image that the cluster pulls: " +
        "kubectl fabric deploy-cc NAME -C CHANNEL --runtime service --image IMAGE; for a peer's own daemon: fabric-chaincode-node start",
    );
  });

  const program = (text: string) => `const shim = require('fabric-shim');\n${text}\n`;

  test("that the program itself makes is refused", async () => {
    await write({
      "package.json": manifest({ start: "node ." }, shim),
      "dist/index.js": program("shim.server(new C(), {}).start()"),
    });
    expect(await refusal()).toContain(
      "found a server: dist/index.js, which npm start in FOLDER runs, calls shim.server",
    );
  });

  test.each([
    "shim.start(new C());",
    "if (process.env.ADDRESS) shim.server(new C(), {}).start();\nelse shim.start(new C());",
    "// shim.server(x)\nrequire('./own').run();",
  ])("is not seen in %j", async (text) => {
    await write({ "package.json": manifest({ start: "node ." }, shim), "dist/index.js": program(text) });
    expect(await names()).toEqual(["dist/index.js", "package.json"]);
  });

  const go = (body: string) =>
    `package main\n\nimport "github.com/hyperledger/fabric-chaincode-go/v2/shim"\n\nfunc main() {\n${body}\n}\n`;

  test("in Go is refused", async () => {
    await write({ "go.mod": "module a\n", "main.go": go("server := &shim.ChaincodeServer{}\nserver.Start()") });
    expect(await refusal()).toContain("found a server: package main in FOLDER starts a shim.ChaincodeServer");
    await write({ "main.go": go("if ok {\n(&shim.ChaincodeServer{}).Start()\n} else {\nshim.Start(cc)\n}") });
    expect(await names()).toEqual(["go.mod", "main.go"]);
  });
});

describe("dependencies of one's own", () => {
  test.each(["file:../shared", "workspace:*", "link:../shared", "portal:../shared"])(
    "%s are in no registry",
    async (from) => {
      await write({
        "package.json": manifest({ start }, { dependencies: { "@own/shared": from } }),
        "dist/index.js": "",
      });
      expect(await refusal()).toContain(
        `found @own/shared from ${from} in FOLDER/package.json\ninstall it as a copy: npm install`,
      );
      await write({ "node_modules/@own/shared/package.json": "{}" });
      expect(await names()).toContain("node_modules/@own/shared/package.json");
    },
  );

  test("inside the folder are in the package", async () => {
    await write({
      "package.json": manifest({ start }, { dependencies: { own: "file:./own" } }),
      "dist/index.js": "",
      "own/package.json": "{}",
    });
    expect(await names()).toContain("own/package.json");
  });
});
