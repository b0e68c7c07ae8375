import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";

/** What all rooms may import: how something failed, and what to do about it. */
const below: ReadonlySet<string> = new Set(["core/error.ts", "core/remedy.ts"]);

/**
 * Room -> rooms whose files its own may import, besides each other and what is below all; a room stands for those inside it, too. Read from
 * top to bottom: imports point upwards in this table only. Programs import core, never each other.
 */
const rooms: Readonly<Record<string, readonly string[]>> = {
  "core/process": [],
  "core/engine": [],
  "core/kubernetes": ["core/engine"],
  "core/kubernetes/steps": ["core/engine", "core/kubernetes"],
  "core/fabric/identity": [],
  "core/fabric/policy": [],
  "core/fabric": [], // what its rooms share
  "core/fabric/node": ["core/fabric/identity"],
  "core/fabric/channel": ["core/fabric/identity", "core/fabric/policy", "core/fabric/node"],
  "core/fabric/package": [
    "core/fabric/go-fields.ts",
    "core/fabric/json-text.ts",
    "core/fabric/identity",
    "core/fabric/node",
  ],
  "core/fabric/chaincode": ["core/fabric"],
  "core/docker": ["core/engine", "core/kubernetes"],
  "core/injection": [],
  "core/injection/manifest": ["core/engine", "core/kubernetes", "core/injection"],
  "core/installation": ["core/engine", "core/kubernetes", "core/fabric/identity", "core/injection"],
  "core/network/resources": ["core/engine", "core/kubernetes", "core/injection"],
  "core/network/identity": ["core/engine", "core/kubernetes", "core/fabric", "core/network/resources"],
  "core/network/workload": [
    "core/engine",
    "core/kubernetes",
    "core/injection",
    "core/network/resources",
    "core/network/identity",
  ],
  "core/network/session": [
    "core/engine",
    "core/kubernetes",
    "core/fabric",
    "core/network/resources",
    "core/network/identity",
    "core/network/workload",
  ],
  "core/network/channel": [
    "core/engine",
    "core/kubernetes",
    "core/fabric",
    "core/injection",
    "core/network/resources",
    "core/network/identity",
    "core/network/session",
  ],
  "core/network/operations": ["core/engine", "core/kubernetes", "core/fabric", "core/installation", "core/network"],
  "core/chaincode/image": [
    "core/engine",
    "core/kubernetes",
    "core/fabric",
    "core/docker",
    "core/injection",
    "core/network",
  ],
  "core/chaincode/deployment": ["core/engine", "core/fabric", "core/network", "core/chaincode/image"],
  "core/chaincode/package": ["core/engine", "core/fabric", "core/network", "core/chaincode/deployment"],
  "core/chaincode/daemon": ["core/kubernetes", "core/fabric", "core/docker", "core/injection", "core/network"],
  "core/chaincode/lifecycle": [
    "core/engine",
    "core/fabric",
    "core/docker",
    "core/network",
    "core/chaincode/image",
    "core/chaincode/deployment",
    "core/chaincode/daemon",
  ],
  "core/chaincode/seed": [
    "core/engine",
    "core/fabric",
    "core/docker",
    "core/network",
    "core/chaincode/image",
    "core/chaincode/deployment",
  ],
  "core/chaincode/runtime": [
    "core/engine",
    "core/kubernetes",
    "core/fabric",
    "core/injection",
    "core/network",
    "core/chaincode/deployment",
    "core/chaincode/daemon",
    "core/chaincode/lifecycle",
    "core/chaincode/seed",
  ],
  "core/chaincode/daily": [
    "core/engine",
    "core/kubernetes",
    "core/fabric",
    "core/docker",
    "core/network",
    "core/chaincode/deployment",
    "core/chaincode/package",
    "core/chaincode/daemon",
    "core/chaincode/lifecycle",
    "core/chaincode/seed",
    "core/chaincode/runtime",
  ],
  "core/chaincode/rollout": ["core/engine", "core/fabric", "core/network", "core/chaincode"],
  "core/orphans/peers": ["core/kubernetes", "core/fabric", "core/injection", "core/network"],
  "core/orphans/judgement": ["core/engine", "core/kubernetes", "core/fabric", "core/network", "core/orphans/peers"],
  "core/orphans/places": [
    "core/engine",
    "core/kubernetes",
    "core/fabric",
    "core/docker",
    "core/injection",
    "core/network",
    "core/orphans/peers",
    "core/orphans/judgement",
  ],
  "core/orphans": ["core/engine", "core/kubernetes", "core/network", "core/orphans"],
  "core/doctor": [
    "core/process",
    "core/engine",
    "core/kubernetes",
    "core/injection",
    "core/installation",
    "core/network",
    "core/orphans",
  ],
  "plugin/terminal": ["core/engine"],
  plugin: ["core", "plugin"],
  webhook: [
    "core/process",
    "core/kubernetes/kubeconfig.ts",
    "core/kubernetes/credentials.ts",
    "core/kubernetes/connections.ts",
    "core/injection",
  ],
  runner: ["core/process"],
  build: ["core/installation", "plugin/terminal"],
};

const root = join(import.meta.dirname, "../..");
const files = globSync("{core,plugin,webhook,runner,build}/**/*.ts", { cwd: root });

/** The innermost room. */
function roomOf(file: string): string {
  const around = Object.keys(rooms).filter((room) => file.startsWith(`${room}/`));
  const [room] = around.toSorted((a, b) => b.length - a.length);
  if (room === undefined) throw new Error(`${file} lies in no room`);
  return room;
}

function importsOf(file: string): readonly string[] {
  const source = readFileSync(join(root, file), "utf8");
  const specifiers = [...source.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map((match) => match[1] ?? "");
  return specifiers.map((specifier) => normalize(join(dirname(file), specifier)));
}

const isWithin = (file: string, place: string): boolean => file === place || file.startsWith(`${place}/`);

describe("imports point one way only", () => {
  test("there is something to check", () => {
    expect(files.length).toBeGreaterThan(300);
    expect(files.flatMap(importsOf).length).toBeGreaterThan(1000);
  });

  test("a room stands below those that it imports", () => {
    const names = Object.keys(rooms);
    const wrong = Object.entries(rooms).flatMap(([room, imported]) =>
      imported.filter((name) => names.indexOf(name) > names.indexOf(room)).map((name) => `${room} -> ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test.each(files.filter((file) => !below.has(file)))("%s", (file) => {
    const room = roomOf(file);
    const strangers = importsOf(file).filter((path) => !below.has(path) && roomOf(path) !== room);
    expect(strangers.filter((path) => !(rooms[room] ?? []).some((place) => isWithin(path, place)))).toEqual([]);
  });

  test("no file imports itself by way of others", () => {
    expect(circles()).toEqual([]);
  });

  test.each(["core/fabric", "core/injection"])("%s calls nothing of Kubernetes", (place) => {
    // Its types are gone when it runs.
    const calls = /^import (?!type )[^;]*"(?:@kubernetes\/|express)/m;
    const wrong = files.filter((file) => isWithin(file, place) && !file.includes("/manifest/"));
    expect(wrong.filter((file) => calls.test(readFileSync(join(root, file), "utf8")))).toEqual([]);
  });
});

/** Each as the files on the way, the first once more at its end. */
function circles(): readonly string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) found.push([...path.slice(path.indexOf(file)), file].join(" -> "));
    if (path.includes(file) || done.has(file)) return;
    for (const imported of importsOf(file)) visit(imported, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  return found;
}

/** Packages of npm that the product's files import, types left out: those are gone when it runs. */
async function packagesImported(): Promise<ReadonlySet<string>> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: files.filter((file) => !isWithin(file, "build")),
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    outdir: "out",
    write: false,
    metafile: true,
    logLevel: "error",
  });
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
  const packages = imports
    .filter(({ external, path }) => external === true && process.getBuiltinModule(path) === undefined)
    .map(({ path }) =>
      path
        .split("/")
        .slice(0, path.startsWith("@") ? 2 : 1)
        .join("/"),
    );
  return new Set(packages);
}

test("what the product imports are its dependencies, all of them", async () => {
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { dependencies: object };
  expect([...(await packagesImported())].toSorted()).toEqual(Object.keys(dependencies).toSorted());
});
