import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, readlink, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { FabricError } from "../../core/error.ts";
import { cluster } from "./cluster.ts";
import { CommandFailure, lastLines, run } from "./command.ts";
import { isFresh, keyOf, keyOfDirectory, publish } from "./freshness.ts";
import type { Layout } from "./layout.ts";
import { takeLock } from "./lock.ts";
import type { Progress } from "./progress.ts";

/** Programs built from Go modules: no registry is needed for them. */
export interface GoBuild {
  readonly name: "node" | "oldest-api-server" | "containerd" | "coredns" | "docker" | "pause" | "confine";
  readonly what: string;
  /** `tool`: the tools that go.mod names. */
  readonly target: "." | "tool";
  readonly ldflags: string;
  readonly tags: string;
  /** What a first build takes on two cores. */
  readonly minutes: number;
  /** Names beside the program's own by which it acts as somebody else. */
  readonly links: readonly string[];
}

const stripped = "-s -w";

function kubernetesVersion(version: string): string {
  const minor = version.split(".")[1];
  return ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"]
    .map((path) => `-X ${path}.gitVersion=${version} -X ${path}.gitMajor=1 -X ${path}.gitMinor=${minor}`)
    .join(" ");
}

/** The oldest whose modules can be had. */
const oldestVersion = "v1.29.6";

export const dockerVersion = "28.5.2";
const dockerVersions = [
  `github.com/docker/docker/dockerversion.Version=${dockerVersion}`,
  "github.com/docker/docker/dockerversion.GitCommit=module",
  `github.com/docker/cli/cli/version.Version=${dockerVersion}`,
];

const plain = { target: ".", ldflags: stripped, tags: "", links: [] } as const;

export const goBuilds: Readonly<Record<GoBuild["name"], GoBuild>> = {
  node: {
    ...plain,
    name: "node",
    what: `Kubernetes ${cluster.version} and etcd`,
    ldflags: `${stripped} ${kubernetesVersion(cluster.version)}`,
    minutes: 8,
    links: [
      "etcd",
      "kube-apiserver",
      "kube-controller-manager",
      "kube-scheduler",
      "kube-proxy",
      "kubelet",
      "kubectl",
      "node-agent",
    ],
  },
  "oldest-api-server": {
    ...plain,
    name: "oldest-api-server",
    what: `the API server of Kubernetes ${oldestVersion}`,
    ldflags: `${stripped} ${kubernetesVersion(oldestVersion)}`,
    tags: "providerless", // the clouds' own code is in a module that is gone
    minutes: 5,
  },
  containerd: { ...plain, name: "containerd", what: "containerd", target: "tool", minutes: 2 },
  coredns: { ...plain, name: "coredns", what: "CoreDNS", minutes: 2 },
  docker: {
    ...plain,
    name: "docker",
    what: `Docker ${dockerVersion}`,
    target: "tool",
    ldflags: [stripped, ...dockerVersions.map((version) => `-X ${version}`)].join(" "),
    tags: "netgo osusergo static_build exclude_graphdriver_btrfs",
    minutes: 4,
  },
  pause: { ...plain, name: "pause", what: "the pause program", minutes: 1 },
  confine: { ...plain, name: "confine", what: "the runner's confine", minutes: 1 },
};

/** What is the same for every build. */
const goEnvironment = { CGO_ENABLED: "0", GOFLAGS: "-mod=readonly" } as const;

/** The arguments of `go`, to be run in the program's source directory. */
export function goArguments(build: GoBuild, output: string): readonly string[] {
  const tags = build.tags === "" ? [] : ["-tags", build.tags];
  return ["build", "-trimpath", ...tags, "-ldflags", build.ldflags, "-o", output, build.target];
}

/** Where a build's programs are. */
export function programsOf(build: GoBuild, layout: Layout): string {
  return join(layout.builds, build.name);
}

export async function keyOfBuild(build: GoBuild, sources: string): Promise<string> {
  return keyOf(await keyOfDirectory(sources), ...goArguments(build, ""), JSON.stringify(goEnvironment), process.arch);
}

/** The sandbox's own programs are beside this file; confine is a part of the runner. */
const sourcesOf = ({ name }: GoBuild) => join(import.meta.dirname, name === "confine" ? "../../runner/confine" : name);

/**
 * Builds programs unless they are fresh. Gives the key of what they were built from.
 * Throws `not-found` when Go is missing or too old, `internal` when a build fails, with its last lines.
 */
export async function buildPrograms(
  name: GoBuild["name"],
  layout: Layout,
  progress: Progress,
  signal?: AbortSignal,
): Promise<string> {
  const build = goBuilds[name];
  const key = await keyOfBuild(build, sourcesOf(build));
  const programs = programsOf(build, layout);
  const isDone = async () => (await isFresh(programs, key)) && (await isLinked(build, programs, layout.bin));
  if (!(await isDone())) {
    const waiting = (owner: string): void => progress.say(`waiting for ${owner}`);
    const lock = await takeLock(
      `the build of ${build.what}`,
      waiting,
      signal,
      `\0kubectl-fabric-build-${keyOf(programs)}`,
    );
    try {
      // Who waited finds what the other has built.
      if (!(await isFresh(programs, key))) await make(build, programs, key, progress, signal);
      await linkPrograms(build, programs, layout.bin);
    } finally {
      await lock.release();
    }
  }
  return key;
}

async function make(build: GoBuild, programs: string, key: string, progress: Progress, signal?: AbortSignal) {
  const go = await findGo(signal);
  progress.say(`building ${build.what} from Go modules (once; about ${build.minutes} min the first time)`);
  const unfinished = `${programs}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  await compile(go, build, unfinished, `${programs}.log`, signal);
  await publish(unfinished, programs, { key });
}

async function compile(go: string, build: GoBuild, directory: string, log: string, signal?: AbortSignal) {
  try {
    await run(go, goArguments(build, `${directory}/`), { cwd: sourcesOf(build), env: goEnvironment, log, signal });
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    const end = lastLines(await readFile(log, "utf8"), 12);
    throw new FabricError("internal", `expected ${build.what} to build, found:\n${end}`, {
      hint: `see ${log}; Go needs its module proxy, 5 GB of disk and 4 GB of memory for a first build`,
      cause: error,
    });
  }
}

/** A Go that can fetch the toolchain which go.mod names: 1.21 is the first. */
async function findGo(signal?: AbortSignal): Promise<string> {
  const go = existsSync("/usr/local/go/bin/go") && !onPath("go") ? "/usr/local/go/bin/go" : "go";
  let version: string;
  try {
    version = await run(go, ["env", "GOVERSION"], { signal });
  } catch (error) {
    throw goProblem("none", error);
  }
  if (!isRecentGo(version)) throw goProblem(version.trim());
  return go;
}

const onPath = (program: string) =>
  (process.env["PATH"] ?? "").split(":").some((directory) => existsSync(join(directory, program)));

export function isRecentGo(version: string): boolean {
  const [, major = "0", minor = "0"] = /^go(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > 1 || Number(minor) >= 21;
}

function goProblem(found: string, cause?: unknown): FabricError {
  return new FabricError("not-found", `expected Go 1.21 or newer, found ${found}`, {
    hint: "install Go from https://go.dev/dl and put its bin directory on PATH",
    cause,
  });
}

/** Each program under its own name in one directory, which is all that anybody else needs to know: link -> program. */
async function linksOf(build: GoBuild, programs: string): Promise<ReadonlyMap<string, string>> {
  if (["docker", "pause", "oldest-api-server", "confine"].includes(build.name)) return new Map(); // not for the cluster itself
  const names = await readdir(programs);
  return new Map([
    // Not "node": whoever puts this directory on PATH still wants Node.js.
    ...names.map((name) => [name === "node" ? "kube-node" : name, join(programs, name)] as const),
    ...build.links.map((link) => [link, join(programs, build.name)] as const),
  ]);
}

async function isLinked(build: GoBuild, programs: string, bin: string): Promise<boolean> {
  const links = [...(await linksOf(build, programs))];
  const found = await Promise.all(links.map(([link]) => readlink(join(bin, link)).catch(() => undefined)));
  return links.every(([, target], index) => found[index] === target);
}

/** A link that is replaced is never missing: others may be running what it leads to. */
async function linkPrograms(build: GoBuild, programs: string, bin: string): Promise<void> {
  await mkdir(bin, { recursive: true });
  for (const [link, target] of await linksOf(build, programs)) {
    const unfinished = join(bin, `${link}.new`);
    await rm(unfinished, { force: true });
    await symlink(target, unfinished);
    await rename(unfinished, join(bin, link));
  }
}
