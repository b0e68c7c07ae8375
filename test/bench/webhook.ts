// The webhook beside two in Go that inject the same: npm run bench -- webhook [--requests N] [--rounds N] [--soak N] [--starts N]
// [-o json]. Only what a start takes: --requests 0 --soak 0. Each server is on one core, the load on another; contenders take turns, and medians of the rounds are shown.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { V1Pod } from "@kubernetes/client-node";
import { issuer } from "../../webhook/certificates/issue.ts";
import { CONFIGURATION, startCluster } from "../integration/webhook/cluster.ts";
import {
  CLIENT_CORE,
  post,
  SERVER_NAME,
  startContender,
  type Contender,
  type RunningContender,
} from "./webhook/contender.ts";
import { requireSameInjection } from "./webhook/equivalence.ts";
import { buildPeers } from "./webhook/go-peers.ts";
import { cpuSeconds, median, residentBytes } from "./webhook/process-figures.ts";
import { printReport, type Figures, type LoadFigures } from "./webhook/report.ts";
import { peerPod, reviewBody } from "./webhook/review.ts";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "20000" },
    rounds: { type: "string", default: "3" },
    soak: { type: "string", default: "200000" },
    starts: { type: "string", default: "9" },
    output: { type: "string", short: "o", default: "table" },
  },
});
const [requests, rounds, soak, starts] = [values.requests, values.rounds, values.soak, values.starts].map(Number) as [
  number,
  number,
  number,
  number,
];
const CONNECTIONS = [1, 10, 50] as const;
/** Just-in-time compilers and heaps settle before anything is measured. */
const WARM_UP = 3000;

const programs = buildPeers();
const directory = mkdtempSync(join(tmpdir(), "kubectl-fabric-bench-"));
const pod = peerPod();
const body = reviewBody(pod);
const reviewFile = join(directory, "review.json");
writeFileSync(reviewFile, body);
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const cluster = await startCluster({ "supplychain-net": {} });
try {
  await run();
} finally {
  await cluster.close();
  rmSync(directory, { recursive: true, force: true });
}

async function run(): Promise<void> {
  const contenders = [...(await goContenders()), ours()];
  const startMs = await measureStarts(contenders);
  const running: RunningContender[] = [];
  try {
    for (const contender of contenders) running.push(await begin(contender));
    await requireSame(running);
    const figures = await measureLoad(running);
    const memory = await measureMemory(running);
    const all = running.map(({ contender: { name } }, index): Figures => {
      const [load = [], bytes = [], ms = Number.NaN] = [figures[index], memory[index], startMs[index]];
      return { name, load, residentBytes: bytes, startMs: ms };
    });
    printReport(
      { cores: availableParallelism(), bytes: Buffer.byteLength(body), requests, rounds, soak, starts },
      all,
      values.output,
    );
  } finally {
    for (const one of running) await one.end();
  }
}

function ours(): Contender {
  const kubeconfig = join(directory, "kubeconfig");
  const settings = resolve("test/bench/webhook/settings.yaml");
  writeFileSync(kubeconfig, cluster.kubeconfig);
  const published = (): string => cluster.get(CONFIGURATION).webhooks?.[0]?.clientConfig.caBundle ?? "";
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

async function goContenders(): Promise<readonly Contender[]> {
  const now = new Date();
  const authority = await issuer.authority(now);
  const leaf = await issuer.leaf(authority, new Date(now.getTime() + 86_400_000), [SERVER_NAME], now);
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

function begin(contender: Contender): Promise<RunningContender> {
  return startContender(contender, body, join(directory, `${contender.name}.log`));
}

/** Of a replica that is started again: certificates are there. */
async function measureStarts(contenders: readonly Contender[]): Promise<readonly number[]> {
  say("starts");
  const times = contenders.map((): number[] => []);
  for (let round = 0; round <= starts; round++) {
    for (const [index, contender] of contenders.entries()) {
      const started = await begin(contender);
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

async function measureLoad(running: readonly RunningContender[]): Promise<readonly (readonly LoadFigures[])[]> {
  if (requests === 0) return [];
  for (const one of running) await load(one, 10, WARM_UP);
  const all = running.map(() => CONNECTIONS.map((): LoadFigures[] => []));
  for (let round = 0; round < rounds; round++) {
    for (const [at, connections] of CONNECTIONS.entries()) {
      for (const [index, one] of running.entries()) {
        const figures = await load(one, connections, requests);
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
  { pid, port, contender }: RunningContender,
  connections: number,
  count: number,
): Promise<LoadFigures> {
  const ca = join(directory, "ca.crt");
  writeFileSync(ca, contender.authority());
  const before = cpuSeconds(pid);
  const flags = {
    address: `127.0.0.1:${port}`,
    "server-name": SERVER_NAME,
    ca,
    review: reviewFile,
    connections,
    requests: count,
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const child = spawn("taskset", ["-c", CLIENT_CORE, join(programs, "load"), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`the load against ${contender.name} ended with ${status}`);
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
async function measureMemory(running: readonly RunningContender[]): Promise<readonly (readonly number[])[]> {
  const shares = soak === 0 ? [] : [soak / 10, (soak * 4) / 10, soak / 2];
  const all: number[][] = [];
  for (const one of running) {
    await one.end();
    const fresh = await begin(one.contender);
    const bytes = [residentBytes(fresh.pid)];
    for (const count of shares) {
      await load(fresh, 10, count);
      bytes.push(residentBytes(fresh.pid));
      say(`memory, ${one.contender.name}: ${((bytes.at(-1) ?? 0) / 2 ** 20).toFixed(0)} MiB`);
    }
    await fresh.end();
    all.push(bytes);
  }
  return all;
}
