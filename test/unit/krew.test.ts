// Whether krew can install what `npm pack` makes, as krew.yaml tells it. krew itself is not here: these are its moves (krew,
// internal/installation/move.go, commit db921d5).
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, normalize } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { bundlePlugin } from "../../build/bundle.ts";

interface FileOperation {
  readonly from: string;
  readonly to: string;
}

interface Manifest {
  readonly spec: {
    readonly platforms: readonly { readonly files: readonly FileOperation[]; readonly bin: string }[];
  };
}

const root = join(import.meta.dirname, "../..");
const [platform] = (parse(readFileSync(join(root, "krew.yaml"), "utf8")) as Manifest).spec.platforms;

/** Go's filepath.Match, as far as patterns here need it: a star takes anything but a slash. */
function matches(pattern: string, path: string): boolean {
  const source = pattern.split("*").map((text) => text.replace(/[.+^$(){}|[\]\\?]/g, String.raw`\$&`));
  return new RegExp(`^${source.join("[^/]*")}$`).test(path);
}

const isBelow = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

/** Files and folders. */
const entriesOf = (files: Iterable<string>): ReadonlySet<string> => {
  const entries = new Set<string>();
  for (const file of files) for (let path = file; path !== "."; path = dirname(path)) entries.add(path);
  return entries;
};

/** What is installed -> the archive's file that it is. One operation after the other; what is moved is gone from the archive. */
function install(archive: readonly string[], operations: readonly FileOperation[]): ReadonlyMap<string, string> {
  const left = new Set(archive);
  const installed = new Map<string, string>();
  const move = (from: string, to: string): void => {
    for (const path of installed.keys()) if (isBelow(path, to)) installed.delete(path);
    for (const file of left) {
      if (!isBelow(file, from)) continue;
      left.delete(file);
      installed.set(to + file.slice(from.length), file);
    }
  };
  for (const { from, to } of operations) {
    if (to !== normalize(to)) throw new Error(`the provided path is not clean: ${to}`);
    const entries = entriesOf(left);
    if (entries.has(from)) {
      move(from, to === "." ? basename(from) : to);
      continue;
    }
    const found = [...entries].filter((path) => matches(from, path));
    if (found.length === 0) throw new Error(`no files in the plugin archive matched the glob pattern=${from}`);
    for (const path of found) move(path, join(to, basename(path)));
  }
  return installed;
}

describe("krew's moves", () => {
  const archive = ["p/dist/main.js", "p/dist/chunks/a.js", "p/dist/chunks/b.js", "p/LICENSE"];

  test("take a folder along that a pattern matches, so that a pattern for what is in it finds nothing", () => {
    const operations = [
      { from: "p/dist/*", to: "." },
      { from: "p/dist/chunks/*", to: "chunks" },
    ];
    expect(() => install(archive, operations)).toThrow(
      "no files in the plugin archive matched the glob pattern=p/dist/chunks/*",
    );
    expect([...install(archive, operations.slice(0, 1)).keys()]).toEqual(["main.js", "chunks/a.js", "chunks/b.js"]);
  });

  test("give a path without a pattern the very name that is told", () => {
    expect(install(archive, [{ from: "p/dist/chunks", to: "c" }])).toEqual(
      new Map([
        ["c/a.js", "p/dist/chunks/a.js"],
        ["c/b.js", "p/dist/chunks/b.js"],
      ]),
    );
    expect([...install(archive, [{ from: "p/LICENSE", to: "." }]).keys()]).toEqual(["LICENSE"]);
  });

  test("put away a folder that is in the way", () => {
    const operations = [
      { from: "p/dist/chunks/a*", to: "chunks" },
      { from: "p/dist/chunks", to: "chunks" },
    ];
    expect([...install(archive, operations).keys()]).toEqual(["chunks/b.js"]);
  });
});

describe("the archive that npm packs", () => {
  const work = mkdtempSync(join(tmpdir(), "krew-"));
  const packed = join(work, "packed");
  const plugin = join(work, "plugin");
  let archive: readonly string[];
  let installed: ReadonlyMap<string, string>;

  beforeAll(async () => {
    for (const path of ["package.json", "LICENSE", "README.md", "manifests"]) {
      cpSync(join(root, path), join(packed, path), { recursive: true });
    }
    await bundlePlugin(join(packed, "dist"));
    const output = execFileSync("npm", ["pack", "--dry-run", "--json"], {
      cwd: packed,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [pack] = JSON.parse(output.toString()) as [{ readonly files: readonly { readonly path: string }[] }];
    archive = pack.files.map(({ path }) => `package/${path}`);
    installed = install(archive, platform?.files ?? []);
    for (const [to, from] of installed) {
      mkdirSync(dirname(join(plugin, to)), { recursive: true });
      cpSync(join(packed, from.slice("package/".length)), join(plugin, to));
    }
  }, 300_000); // on a busy machine

  afterAll(() => rmSync(work, { recursive: true, force: true }));

  test("has the plugin's program, every chunk and the licences", () => {
    const chunks = archive.filter((path) => path.startsWith("package/dist/chunks/"));
    expect(chunks.length).toBeGreaterThan(50);
    for (const path of chunks) expect(installed.get(`chunks/${basename(path)}`)).toBe(path);
    expect(installed.has(platform?.bin ?? "")).toBe(true);
    expect(installed.get("LICENSE")).toBe("package/LICENSE");
    for (const path of archive.filter((path) => /kubectl-fabric\.js\.LEGAL|chunks\/.*\.LEGAL/.test(path))) {
      expect([...installed.values()]).toContain(path);
    }
  });

  const runPlugin = (args: readonly string[], input?: string) =>
    spawnSync(process.execPath, [join(plugin, platform?.bin ?? ""), ...args], { encoding: "utf8", input });

  test.each([[["--help"]], [["inject", "--help"]], [["webhook", "install", "--help"]]])("runs %j", (args) => {
    const { status, stdout, stderr } = runPlugin(args);
    expect(stderr).toBe("");
    expect(stdout).toContain(`Usage: ${["kubectl fabric", ...args.slice(0, -1)].join(" ")}`);
    expect(status).toBe(0);
  });

  // npm init writes "commonjs", and without a type Node tries and warns.
  describe.each([{ type: "commonjs" }, {}])("below a folder whose package.json says %j", (manifest) => {
    test.each(["plugin", "packed/dist"])("%s starts, and says nothing of it", (folder) => {
      const home = mkdtempSync(join(work, "home-"));
      const store = join(home, ".krew/store/fabric/v0");
      cpSync(join(work, folder), store, { recursive: true });
      writeFileSync(join(home, "package.json"), JSON.stringify({ name: "home", version: "1.0.0", ...manifest }));
      const link = join(home, "kubectl-fabric");
      symlinkSync(join(store, "kubectl-fabric.js"), link);
      const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string };
      expect(spawnSync(process.execPath, [link, "--version"], { encoding: "utf8" })).toMatchObject({
        stdout: `${version}\n`,
        stderr: "",
        status: 0,
      });
    });
  });

  test("injects, and shows what that changes: manifests and settings need no file beside the program", () => {
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "peer0", annotations: { "kubectl-fabric.io/inject": "true" } },
      spec: {
        containers: [{ name: "peer", image: "hyperledger/fabric-peer:3.1", command: ["peer", "node", "start"] }],
      },
    };
    const inject = (...args: readonly string[]) => runPlugin(["inject", "-f", "-", ...args], JSON.stringify(pod));
    expect(inject()).toMatchObject({ status: 0, stdout: expect.stringContaining("kubectl-fabric-dind") });
    expect(inject("--diff")).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\+.*kubectl-fabric-dind/m) });
  });

  test.each([
    ["json", /"label": "counter"/],
    ["yaml", /^label: counter$/m],
    ["name", /^counter:[0-9a-f]{64}$/m],
    ["table", /counter/],
  ])("prints a result as %s", (format, expected) => {
    const folder = join(root, "test/chaincode/counter");
    const { status, stdout } = runPlugin(["chaincode", "package", folder, "--file", join(work, "c.tgz"), "-o", format]);
    expect(status).toBe(0);
    expect(stdout).toMatch(expected);
  });
});
