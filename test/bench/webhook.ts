import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import type { V1Pod } from "@kubernetes/client-node";
import { runProgram, temporaryFolder, type Lifetime } from "../../build/lifetime.ts";
import { issuer } from "../../webhook/certificates/issue.ts";
import { configurationPath, startCluster, type FakeCluster } from "../integration/webhook/cluster.ts";
import {
  clientCore,
  post,
  serverName,
  startContender,
  type Contender,
  type RunningContender,
} from "./webhook/contender.ts";
import type { Settings } from "./measure.ts";
import { requireSameInjection } from "./webhook/equivalence.ts";
import { buildPeers } from "./webhook/go-peers.ts";
import { cpuSeconds, median, residentBytes } from "./webhook/process-figures.ts";
import { printReport, type Figures, type LoadFigures } from "./webhook/report.ts";
import { peerPod, reviewBody } from "./webhook/review.ts";

const connectionCounts = [1, 10, 50] as const;
/** Just-in-time compilers and heaps settle before anything is measured. */
const warmUpReviews = 3000;

/** What the measurements share. */
interface Bench {
  readonly lifetime: Lifetime;
  readonly settings: Settings;
  /** Directory of the programs in Go. */
  readonly programs: string;
  readonly directory: string;
  readonly cluster: FakeCluster;
}

const pod = peerPod();
const body = reviewBody(pod);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

/**
 * The webhook beside two in Go that inject the same. Each server is on one core, the load on another; contenders take turns, and
 * medians of the rounds are shown.
 */
export async function measure(lifetime: Lifetime, settings: Settings): Promise<void> {
  const programs = await buildPeers(lifetime);
  const directory = await temporaryFolder(lifetime, "webhook-");
  writeFileSync(reviewFile(directory), body);
  const cluster = await lifetime.begin(
    () => startCluster({ "supplychain-net": {} }),
    (begun) => begun.close(),
  );
  const bench: Bench = { lifetime, settings, programs, directory, cluster };
  const contenders = [...(await goContenders(bench)), ours(bench)];
  const startMs = await measureStarts(bench, contenders);
  const running: RunningContender[] = [];
  for (const contender of contenders) running.push(await begin(bench, contender));
  await requireSame(running);
  const figures = await measureLoad(bench, running);
  const memory = await measureMemory(bench, running);
  const all = running.map(({ contender: { name } }, index): Figures => {
    const [load = [], bytes = [], ms = Number.NaN] = [figures[index], memory[index], startMs[index]];
    return { name, load, residentBytes: bytes, startMs: ms };
  });
  const { requests, rounds, soak, starts, output } = settings;
  const bytes = Buffer.byteLength(body);
  printReport({ cores: availableParallelism(), bytes, requests, rounds, soak, starts }, all, output);
}

const reviewFile = (directory: string): string => join(directory, "review.json");

function ours({ directory, cluster }: Bench): Contender {
  const kubeconfig = join(directory, "kubeconfig");
  const settings = resolve("test/bench/webhook/settings.yaml");
  writeFileSync(kubeconfig, cluster.kubeconfig);
  const published = (): string => cluster.get(configurationPath).webhooks?.[0]?.clientConfig.caBundle ?? "";
  return {
    name: "ours",
    argv: (port) => [
      process.execPath,
      "--max-semi-space-size=4", // as webhook/Dockerfile has it
      resolve("dist/webhook.cjs"),
      `--port=${port}`,
      "--probes-port=0",
      `--settings=${settings}`,
    ],
    env: { KUBECONFIG: kubeconfig, NODE_ENV: "production" },
    authority: () => Buffer.from(published(), "base64").toString(),
  };
}

async function goContenders({ programs, directory }: Bench): Promise<readonly Contender[]> {
  const now = new Date();
  const authority = await issuer.authority(now);
  const leaf = await issuer.leaf(authority, new Date(now.getTime() + 86_400_000), [serverName], now);
  const certificates = join(directory, "certificates");
  mkdirSync(certificates);
  writeFileSync(join(certificates, "tls.crt"), leaf.cert);
  writeFileSync(join(certificates, "tls.key"), leaf.key);
  return ["diffing", "operations"].map((name) => ({
    name: `Go, ${name}`,
    argv: (port) => [join(programs, name), `--port=${port}`, `--certificates=${certificates}`],
    env: {},
    authority: () => authority.cert,
  }));
}

function begin({ lifetime, directory }: Bench, contender: Contender): Promise<RunningContender> {
  return lifetime.begin(
    () => startContender(contender, body, join(directory, `${contender.name}.log`), lifetime),
    (begun) => begun.end(),
  );
}

/** Of a replica that is started again: certificates are there. */
async function measureStarts(bench: Bench, contenders: readonly Contender[]): Promise<readonly number[]> {
  say("starts");
  const times = contenders.map((): number[] => []);
  for (let round = 0; round <= bench.settings.starts; round++) {
    for (const [index, contender] of contenders.entries()) {
      const started = await begin(bench, contender);
      if (round > 0) times[index]?.push(started.startMs);
      await started.end();
    }
  }
  return times.map(median);
}

async function requireSame(running: readonly RunningContender[]): Promise<void> {
  const answers = await Promise.all(running.map(({ port, contender }) => post(port, contender.authority(), body)));
  const own = answers.at(-1) ?? "";
  for (const [index, { contender }] of running.entries()) {
    requireSameInjection(pod as V1Pod, own, answers[index] ?? "", contender.name);
  }
}

async function measureLoad(
  bench: Bench,
  running: readonly RunningContender[],
): Promise<readonly (readonly LoadFigures[])[]> {
  const { requests, rounds } = bench.settings;
  if (requests === 0) return [];
  for (const one of running) await load(bench, one, 10, warmUpReviews);
  const all = running.map(() => connectionCounts.map((): LoadFigures[] => []));
  for (let round = 0; round < rounds; round++) {
    for (const [at, connections] of connectionCounts.entries()) {
      for (const [index, one] of running.entries()) {
        const figures = await load(bench, one, connections, requests);
        say(
          `round ${round + 1}, ${connections} connections, ${one.contender.name}: ${figures.cpuMicros.toFixed(0)} µs, ${figures.perSecond.toFixed(0)}/s`,
        );
        all[index]?.[at]?.push(figures);
      }
    }
  }
  return all.map((ofOne) => ofOne.map(medians));
}

function medians(rounds: readonly LoadFigures[]): LoadFigures {
  const of = (pick: (figures: LoadFigures) => number): number => median(rounds.map(pick));
  return {
    connections: rounds[0]?.connections ?? 0,
    cpuMicros: of(({ cpuMicros }) => cpuMicros),
    perSecond: of(({ perSecond }) => perSecond),
    p50: of(({ p50 }) => p50),
    p99: of(({ p99 }) => p99),
  };
}

async function load(
  { lifetime, programs, directory }: Bench,
  { pid, port, contender }: RunningContender,
  connections: number,
  count: number,
): Promise<LoadFigures> {
  const ca = join(directory, "ca.crt");
  writeFileSync(ca, contender.authority());
  const before = cpuSeconds(pid);
  const flags = {
    address: `127.0.0.1:${port}`,
    "server-name": serverName,
    ca,
    review: reviewFile(directory),
    connections,
    requests: count,
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const argv = ["taskset", "-c", clientCore, join(programs, "load"), ...args];
  const text = await runProgram(lifetime, argv, { stdio: ["ignore", "pipe", "inherit"] });
  const result = JSON.parse(text) as { seconds: number; p50: number; p99: number };
  return {
    connections,
    cpuMicros: ((cpuSeconds(pid) - before) / count) * 1e6,
    perSecond: count / result.seconds,
    p50: result.p50,
    p99: result.p99,
  };
}

/** After so many more reviews each: a tenth, a half, all. */
async function measureMemory(
  bench: Bench,
  running: readonly RunningContender[],
): Promise<readonly (readonly number[])[]> {
  const { soak } = bench.settings;
  const shares = soak === 0 ? [] : [soak / 10, (soak * 4) / 10, soak / 2];
  const all: number[][] = [];
  for (const one of running) {
    await one.end();
    const fresh = await begin(bench, one.contender);
    const bytes = [residentBytes(fresh.pid)];
    for (const count of shares) {
      await load(bench, fresh, 10, count);
      bytes.push(residentBytes(fresh.pid));
      say(`memory, ${one.contender.name}: ${((bytes.at(-1) ?? 0) / 2 ** 20).toFixed(0)} MiB`);
    }
    await fresh.end();
    all.push(bytes);
  }
  return all;
}
