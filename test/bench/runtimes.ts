import type { Contract } from "@hyperledger/fabric-gateway";
import type { Lifetime } from "../../build/lifetime.ts";
import type { ChaincodePackage } from "../../core/fabric/package/chaincode-package.ts";
import { idleScript } from "../../core/injection/idle.ts";
import { newChaincodeServer } from "../contract/chaincode-server.ts";
import { assetTransfer } from "../contract/chaincode.ts";
import { columns, startColumn } from "../contract/column.ts";
import { noDocker, startDocker, type DockerDaemon } from "../contract/docker.ts";
import {
  approve,
  commit,
  deployPackage,
  install,
  joinAll,
  readiness,
  withContract,
} from "../integration/emulator/network/actions.ts";
import { eventually, type Network, type PeerNode } from "../integration/emulator/network/network.ts";
import { newProcess } from "../integration/emulator/network/processes.ts";
import { listProcesses, memoryOf } from "../sandbox/processes.ts";

/** Callers at once: more than fit into a block of this network, so that blocks never wait for their time to be over. */
const callers = 32;
const rounds = 6;
const milliseconds = 7_000;
/** Seconds without a call, and between two looks. */
const idle = 5;
const every = 1;
const coldCalls = 7;

const runtimes = ["dind", "service"] as const;
type RuntimeName = (typeof runtimes)[number];
/** Calls a second, one figure for each round. */
type Rates = Record<RuntimeName, number[]>;
type Call = (contract: Contract, id: string) => Promise<unknown>;

const invoke: Call = (contract, id) => contract.submit("CreateAsset", { arguments: [id, "tom", "100"] });
const query: Call = (contract) => contract.evaluate("ReadAsset", { arguments: ["read"] });

/**
 * The same chaincode, in the same image with the same Node.js, by DinD and as a service: invokes and queries of the same peers, in
 * turns. Then on demand: memory of chaincode that runs and that is stopped, and what the call costs that starts it again.
 * Real peers where a release is, else the emulator.
 */
export async function measure(lifetime: Lifetime): Promise<void> {
  if (noDocker !== undefined) {
    console.log(`nothing measured: ${noDocker}`);
    return;
  }
  const column = columns.findLast(({ missing }) => missing === undefined) ?? columns[0];
  if (!column) throw new Error("no column to measure");
  const { signal } = lifetime;
  const daemon = await lifetime.begin(() => startDocker({ signal }), stop);
  const settings = {
    CORE_VM_ENDPOINT: daemon.endpoint,
    CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE: "host",
    CORE_CHAINCODE_STARTUPTIMEOUT: "300s",
  };
  const network = await lifetime.begin(() => startColumn(column, "docker", settings), stop);
  await joinAll(network);
  const pkg = await assetTransfer("dind");
  await deployPackage(network, { name: "dind", version: "1", sequence: 1 }, pkg.bytes, pkg.id);
  await deployService(network, daemon, pkg);
  const version = await daemon.docker("info", "--format", "{{.ServerVersion}}");
  console.log(
    `peers: ${column.name}, Docker ${version}; ${callers} callers, ${rounds} rounds of ${milliseconds / 1000} s for each`,
  );
  await throughput(network);
  await onDemand(lifetime, network, daemon, pkg);
}

const stop = (begun: { stop(): Promise<void> }): Promise<void> => begun.stop();

/** A container of the image that the peer has built, started as a server, for each organization. */
async function deployService(network: Network, daemon: DockerDaemon, built: ChaincodePackage): Promise<void> {
  const definition = { name: "service", version: "1", sequence: 1 };
  for (const node of network.peers) {
    const { pkg, environment, command } = await newChaincodeServer(network.directory, "service", node);
    const keys = `type=bind,readonly,source=${network.directory},target=${network.directory}`;
    const variables = Object.entries(environment).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
    const place = ["--network", "host", "--workdir", "/usr/local/src", "--mount", keys];
    await daemon.docker("run", "--detach", ...place, ...variables, await imageOf(daemon, node, built), ...command);
    const answer = await install(node, pkg.bytes);
    if (answer.getStatus() !== 200) throw new Error(answer.getMessage());
    await approve(node, definition, pkg.id);
  }
  const [first] = network.peers as readonly [PeerNode];
  const mspIds = network.peers.map(({ organization }) => organization.mspId);
  await eventually("both approvals", async () =>
    [...(await readiness(first, definition)).values()].every(Boolean) ? true : undefined,
  );
  await commit(first, definition, mspIds);
}

async function imageOf(daemon: DockerDaemon, node: PeerNode, pkg: ChaincodePackage): Promise<string> {
  const names = (await daemon.docker("images", "--format", "{{.Repository}}")).split("\n");
  const stem = containerOf(node, pkg).toLowerCase();
  const found = names.find((name) => name.startsWith(stem));
  if (found === undefined) throw new Error(`expected an image ${stem}-…, found ${names.join(", ")}`);
  return found;
}

const containerOf = ({ organization }: PeerNode, { id }: ChaincodePackage): string =>
  `dev-peer0.${organization.mspId}-${id.replace(":", "-")}`;

async function throughput({ peers }: Network): Promise<void> {
  const [first] = peers as readonly [PeerNode];
  for (const runtime of runtimes) await warm(first, runtime);
  console.log(
    `\n${"calls a second (median)".padEnd(34)}${"dind".padStart(9)}${"service".padStart(10)}   dind / service`,
  );
  await row("invoke, until it is committed", first, invoke);
  await row("query", first, query);
}

async function warm(node: PeerNode, runtime: RuntimeName): Promise<void> {
  await eventually(`the chaincode ${runtime}`, () =>
    withContract(node, runtime, (contract) => invoke(contract, "read")).then(
      () => true as const,
      () => undefined,
    ),
  );
  await rateOf(node, runtime, invoke, 3_000);
}

/** Whoever comes first in one round comes second in the next, so that what grows (ledger, caches) is nobody's advantage. */
async function row(name: string, node: PeerNode, call: Call): Promise<void> {
  const rates: Rates = { dind: [], service: [] };
  for (let round = 0; round < rounds; round++) {
    for (const runtime of round % 2 === 0 ? runtimes : runtimes.toReversed()) {
      rates[runtime].push(await rateOf(node, runtime, call, milliseconds));
    }
  }
  const ratios = rates.dind.map((rate, round) => rate / (rates.service[round] ?? 0)).toSorted((a, b) => a - b);
  const [dind, service] = [median(rates.dind), median(rates.service)];
  const spread = `rounds ${(ratios[0] ?? 0).toFixed(2)} to ${(ratios.at(-1) ?? 0).toFixed(2)}`;
  console.log(
    `  ${name.padEnd(32)}${dind.toFixed(1).padStart(9)}${service.toFixed(1).padStart(10)}   ${(dind / service).toFixed(2)} (${spread})`,
  );
}

let calls = 0;

/** Calls that ended within the time. */
async function rateOf(node: PeerNode, runtime: RuntimeName, call: Call, time: number): Promise<number> {
  return withContract(node, runtime, async (contract) => {
    const started = performance.now();
    let done = 0;
    const caller = async (): Promise<void> => {
      while (performance.now() - started < time) {
        await call(contract, `asset${(calls += 1)}`);
        if (performance.now() - started < time) done += 1;
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
    return done / (time / 1000);
  });
}

async function onDemand(
  lifetime: Lifetime,
  { peers }: Network,
  daemon: DockerDaemon,
  pkg: ChaincodePackage,
): Promise<void> {
  const [node] = peers as readonly [PeerNode];
  const name = containerOf(node, pkg);
  const running = await memory(daemon, name);
  const guard = newProcess(
    ["/bin/sh", "-c", idleScript, "idle", String(idle), String(every), `${node.operations}/metrics`],
    { DOCKER_HOST: daemon.endpoint, PATH: daemon.path },
    /stop/,
  );
  await lifetime.begin(
    () => guard.start(),
    () => guard.stop(),
  );
  const guarding = listProcesses().filter(({ argv }) => argv.includes(idleScript));
  const guardMemory = guarding.reduce((sum, { pid }) => sum + memoryOf(pid), 0);
  await eventually("chaincode that is stopped", async () =>
    (await daemon.docker("inspect", "--format", "{{.State.Status}}", name)) === "exited" ? true : undefined,
  );
  await guard.stop();
  const stopped = await memory(daemon, name);
  const times = await withContract(node, "dind", async (contract) => {
    const cold: number[] = [];
    const warmed: number[] = [];
    for (let call = 0; call < coldCalls; call++) {
      cold.push(await timeOf(() => query(contract, "")));
      warmed.push(await timeOf(() => query(contract, "")));
      await daemon.docker("kill", name); // as its guard does
    }
    return { cold: median(cold), warm: median(warmed) };
  });
  console.log(`\non demand: one chaincode of one peer, stopped after ${idle} s without a call`);
  console.log(
    `  memory (PSS)    ${megabytes(running)} while it runs, ${megabytes(stopped)} stopped; its guard, one for all of a peer, has ${megabytes(guardMemory)}`,
  );
  console.log(
    `  a query         ${times.warm.toFixed(0)} ms; ${times.cold.toFixed(0)} ms when it starts the chaincode (medians of ${coldCalls})`,
  );
}

/** Of a container's processes, and of the shim that holds them. */
async function memory(daemon: DockerDaemon, name: string): Promise<number> {
  const id = await daemon.docker("inspect", "--format", "{{.Id}}", name);
  const inside = await daemon.docker("top", name, "-eo", "pid").then(
    (text) => text.split("\n").slice(1).map(Number),
    () => [], // it does not run
  );
  const shims = listProcesses().filter(
    ({ argv: [program = "", ...words] }) => program.includes("shim") && words.includes(id),
  );
  return [...inside, ...shims.map(({ pid }) => pid)].reduce((sum, pid) => sum + memoryOf(pid), 0);
}

async function timeOf(act: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await act();
  return performance.now() - started;
}

function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
