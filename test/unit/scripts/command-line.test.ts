import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "../../..");

/** Script -> how its help says that it is run, and command lines that are wrong. */
const scripts = {
  "build/main.ts": { usage: "npm run build -- [options]", wrong: [["--minify"], ["plugin"]] },
  "build/sbom.ts": { usage: "npm run sbom -- [options]", wrong: [["--format=spdx"], ["webhook"]] },
  "test/demo/main.ts": { usage: "npm run demo -- [options]", wrong: [["--contxt", "kind"], ["up"]] },
  "test/main.ts": { usage: "npm test -- [options]", wrong: [["--only"], ["unit"]] },
  "test/fabric.ts": { usage: "npm run test:fabric -- [options]", wrong: [["--newst"], ["contract"]] },
  "test/node24.ts": { usage: "npm run test:node24 -- [options]", wrong: [["--quik"], ["krew"]] },
  "test/e2e/main.ts": {
    usage: "npm run test:e2e -- [options] [files...]",
    wrong: [["--contxt", "kind"], ["--context"], ["--context", ""], ["--fabric-version", "3.1"], ["nosuch"]],
  },
  "test/sandbox/main.ts": {
    usage: "npm run sandbox -- [options] [command]",
    wrong: [[], ["start"], ["up", "--purge"], ["load"]],
  },
  "test/bench/main.ts": {
    usage: "npm run bench -- [options] [part...]",
    wrong: [["runnr"], ["startup", "nope"], ["--bla"], ["startup", "--runs", "0"]],
  },
} as const;

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Under Node's permission model: who writes a file, starts a program or, from Node 25 on, opens a connection fails. */
function runConfined(script: string, args: readonly string[]): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  const argv = ["--permission", "--allow-fs-read=*", script, ...args];
  execFile(process.execPath, argv, { cwd: root }, (error, stdout, stderr) => {
    resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
  });
  return promise;
}

describe.each(Object.entries(scripts))("%s", (script, { usage, wrong }) => {
  test("shows its help, and does nothing else", async () => {
    const { status, stdout, stderr } = await runConfined(script, ["--help"]);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^Usage: /);
    expect(stdout).toContain(`Usage: ${usage}\n`);
    expect(stdout).toMatch(/\nExamples?:\n/);
    expect(stdout).toMatch(/(minutes|seconds|a second)/);
    expect(status).toBe(0);
  });

  test.each(wrong.map((args) => [args]))("refuses %j, before it does anything", async (args) => {
    const { status, stdout, stderr } = await runConfined(script, args);
    expect(stdout).toBe("");
    // Who names no command at all is shown which there are.
    expect(stderr).toMatch(
      args.length === 0 && script.includes("sandbox") ? /^Usage: / : /^error: [^]*\nhint: .*--help/,
    );
    expect(status).toBe(2);
  });
});

test("the help of the bench tells what each part does, and about how long it takes", async () => {
  const { stdout } = await runConfined("test/bench/main.ts", ["--help"]);
  for (const part of ["orphans", "runner", "runtimes", "seed", "startup", "webhook"]) {
    expect(stdout).toMatch(new RegExp(`^ {2}${part} +\\w.* \\(\\d+ (s|min)\\)$`, "m"));
  }
});

test("an option of a part that is not asked for is refused", async () => {
  const { status, stderr } = await runConfined("test/bench/main.ts", ["orphans", "--soak", "0"]);
  expect(stderr).toBe(
    "error: --soak is an option of webhook, which is not asked for\nhint: add --help to see what is possible\n",
  );
  expect(status).toBe(2);
});

const confinesConnections = process.allowedNodeEnvironmentFlags.has("--allow-net");

test.each([
  'fs.writeFileSync(path.join(os.tmpdir(), "never"), "")',
  'child_process.spawn("true")',
  ...(confinesConnections ? ['net.connect(1, "127.0.0.1")'] : []),
])("what is confined fails at %s: nothing here passes for another reason", async (source) => {
  const { status, stderr } = await runConfined("--eval", [source]);
  expect(stderr).toContain("ERR_ACCESS_DENIED");
  expect(status).toBe(1);
});
