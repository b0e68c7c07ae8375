import { setTimeout as sleep } from "node:timers/promises";
import type { Lifetime } from "../../build/lifetime.ts";
import { chaincodeFiles, packChaincode, type ChaincodePackage } from "../../core/fabric/package/chaincode-package.ts";
import { assetTransfer } from "../contract/chaincode.ts";
import { columns, startColumn, type Extra } from "../contract/column.ts";
import { noDocker, startDocker } from "../contract/docker.ts";
import { parentOf } from "../contract/remains.ts";
import { deployPackage, install, joinAll, withContract } from "../integration/emulator/network/actions.ts";
import { propose } from "../integration/emulator/network/client.ts";
import { channelId, eventually, type Network, type PeerNode } from "../integration/emulator/network/network.ts";
import type { NodeProcess } from "../integration/emulator/network/processes.ts";
import { callApi, noRunner, startRunner } from "../integration/runner/runner-process.ts";
import { listProcesses, memoryOf } from "../sandbox/processes.ts";

/** What runs chaincode for one of the two peers. */
interface Host {
  readonly name: string;
  readonly socket: string;
  readonly process: NodeProcess;
  stop(): Promise<void>;
}

/** A host with its peer. */
interface Side {
  readonly host: Host;
  readonly node: PeerNode;
}

/** What both need, Docker's first. */
type Pair = readonly [number, number];

const chaincodes = 5;
const rows: (readonly [what: string, unit: string, values: Pair, target: string])[] = [];

/**
 * Chaincode in Docker-in-Docker and in the runner, in pairs: one network, whose first organization's peer has a Docker daemon and whose
 * second one's has a runner; each deed is done by both, one after the other. A real peer where a release is, else the emulator.
 */
export async function measure(lifetime: Lifetime): Promise<void> {
  if (noDocker !== undefined || noRunner !== undefined) {
    console.log(`nothing measured: ${noDocker ?? noRunner}`);
    return;
  }
  const column = columns.findLast(({ missing }) => missing === undefined) ?? columns[0];
  if (!column) throw new Error("no column to measure");
  const { signal } = lifetime;
  const docker: Host = { name: "Docker", ...(await lifetime.begin(() => startDocker({ signal }), stop)) };
  const runner: Host = { name: "runner", ...(await lifetime.begin(() => startRunner(), stop)) };
  const hosts = [docker, runner] as const;
  rows.push(["sidecar ready", "ms", await inPairs(5, hosts, (host) => ready(lifetime, host)), "≤ 1"]);
  await sleep(3000);
  rows.push(["memory, idle", "MiB", memories(hosts), "≤ 0.6"]);
  const sockets = new Map(hosts.map(({ socket }, index) => [`peer0.Org${index + 1}MSP`, socket]));
  const settings = { CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE: "host", CORE_CHAINCODE_STARTUPTIMEOUT: "300s" };
  const environmentOf = (id: string): Extra => ({ CORE_VM_ENDPOINT: `unix://${sockets.get(id)}` });
  const start = () => startColumn(column, "docker", settings, ["Org1MSP", "Org2MSP"], environmentOf);
  await withPeers(await lifetime.begin(start, stop), hosts);
  print(column.name);
}

const stop = (begun: { stop(): Promise<void> }): Promise<void> => begun.stop();

async function withPeers(network: Network, hosts: readonly [Host, Host]): Promise<void> {
  const [first, second] = network.peers as readonly [PeerNode, PeerNode];
  const sides = [
    { host: hosts[0], node: first },
    { host: hosts[1], node: second },
  ] as const;
  await joinAll(network);
  const installs: Pair[] = [];
  for (let index = 0; index < chaincodes; index += 1) {
    const pkg = await packageFor(`bench${index}`);
    // What the runner prepares for the next start of the chaincode before is not to fall into Docker's turn.
    await sleep(6000);
    installs.push(await each(sides, ({ node }) => installed(node, pkg)));
    const name = `bench${index}`;
    await deployPackage(network, { name, version: "1", sequence: 1 }, pkg.bytes, pkg.id);
    await each(sides, (side) => answered(side, name));
    if (index === 0) await warm(sides, name);
    if (index === 0) rows.push(["memory, 1 chaincode", "MiB", await settledMemories(hosts), "≤ 1"]);
  }
  rows.push([`memory, ${chaincodes} chaincodes`, "MiB", await settledMemories(hosts), "≤ 1"]);
  rows.push(["install (build)", "ms", medians(installs), "≤ 0.7"]);
  rows.push(["cold call", "ms", await inPairs(5, sides, (side) => cold(side, "bench0")), "≤ 1"]);
}

/** Calls of chaincode that runs: one at a time, then 16. Rounds alternate. */
async function warm(sides: readonly [Side, Side], name: string): Promise<void> {
  await withContract(sides[0].node, name, (docker) =>
    withContract(sides[1].node, name, async (runner) => {
      const contracts = [
        { contract: docker, mspId: sides[0].node.organization.mspId },
        { contract: runner, mspId: sides[1].node.organization.mspId },
      ] as const;
      type Called = (typeof contracts)[number];
      const call = async ({ contract, mspId }: Called): Promise<void> => {
        await contract.evaluate("ListAssets", { arguments: ["", ""], endorsingOrganizations: [mspId] });
      };
      for (let index = 0; index < 100; index += 1) for (const called of contracts) await call(called);
      rows.push(["warm call", "ms", await inPairs(400, contracts, call), "≤ 1.05"]);
      const rate = async (called: Called): Promise<number> => {
        const [end, started] = [performance.now() + 3000, performance.now()];
        let count = 0;
        const work = async (): Promise<void> => {
          for (; performance.now() < end; count += 1) await call(called);
        };
        await Promise.all(Array.from({ length: 16 }, work));
        return (count * 1000) / (performance.now() - started);
      };
      const rates: Pair[] = [];
      for (let round = 0; round < 4; round += 1) rates.push([await rate(contracts[0]), await rate(contracts[1])]);
      rows.push(["calls, 16 at once", "/s", medians(rates), "≥ 1"]);
    }),
  );
}

/** A package that the peer has to build: nothing was composed of it before. */
async function packageFor(label: string): Promise<ChaincodePackage> {
  const complete = await assetTransfer(label);
  const files = (await chaincodeFiles(complete)).map((file) => {
    if (file.name !== "src/package.json") return file;
    const json = JSON.parse(Buffer.from(file.content).toString()) as object;
    return { ...file, content: Buffer.from(JSON.stringify({ ...json, description: label })) };
  });
  return packChaincode(complete.metadata, files);
}

async function installed(node: PeerNode, pkg: ChaincodePackage): Promise<void> {
  const answer = await install(node, pkg.bytes);
  if (answer.getStatus() !== 200) throw new Error(answer.getMessage());
}

/** From the start of the process until the API answers, with all it had before. */
async function ready(lifetime: Lifetime, { socket, process: daemon }: Host): Promise<number> {
  await daemon.stop();
  const started = performance.now();
  await lifetime.begin(
    () => daemon.start(),
    () => daemon.stop(),
  );
  await eventually("an answer", () =>
    callApi(socket, "GET", "/_ping").then(
      ({ status }) => (status === 200 ? true : undefined),
      () => undefined,
    ),
  );
  return performance.now() - started;
}

/** The first call after the chaincode's process has ended and the peer knows. */
async function cold(side: Side, chaincode: string): Promise<number> {
  const { socket } = side.host;
  const containers = (await callApi(socket, "GET", "/containers/json")).json() as readonly {
    readonly Id: string;
    readonly Names: readonly string[];
  }[];
  const found = containers.find(({ Names }) => Names.some((name) => name.includes(`-${chaincode}-`)));
  if (!found) throw new Error(`expected a container of ${chaincode}, found none`);
  // It has run for a while, as chaincode has that is stopped for being idle or that fails: the runner has prepared the next start.
  await sleep(6000);
  await callApi(socket, "POST", `/containers/${found.Id}/kill`);
  await sleep(1000);
  const started = performance.now();
  await answered(side, chaincode);
  return performance.now() - started;
}

async function answered({ node }: Side, chaincode: string): Promise<void> {
  await eventually("an answer", async () => {
    const answer = await propose(node, { chaincode, channelId, args: ["ListAssets", "", ""] }).catch(() => undefined);
    return answer?.getResponse()?.getStatus() === 200 ? true : undefined;
  });
}

const settledMemories = async (hosts: readonly [Host, Host]): Promise<Pair> => {
  await sleep(3000);
  return memories(hosts);
};

const memories = ([docker, runner]: readonly [Host, Host]): Pair => [memory(docker), memory(runner)];

/** The proportional memory (PSS) of a host, of what it started, and of all descendants, in MiB. */
function memory({ socket }: Host): number {
  const folder = socket.replace(/\/(run\/)?docker\.sock$/, "");
  const parents = new Map(listProcesses().map((one) => [one.pid, { ...one, parent: parentOf(one.pid) }]));
  const belongs = (pid: number): boolean => {
    const one = parents.get(pid);
    if (one === undefined || one.pid === process.pid) return false;
    return one.argv.some((word) => word.includes(folder)) || belongs(one.parent);
  };
  const found = [...parents.keys()].filter(belongs);
  return found.reduce((sum, pid) => sum + memoryOf(pid), 0) / 2 ** 20;
}

/** Medians of so many rounds, in which each of the two takes its turn; a number that is given counts instead of the time. */
async function inPairs<T>(
  rounds: number,
  two: readonly [T, T],
  act: (one: T) => Promise<number> | Promise<void>,
): Promise<Pair> {
  const pairs: Pair[] = [];
  for (let round = 0; round < rounds; round += 1) pairs.push(await each(two, act));
  return medians(pairs);
}

async function each<T>(
  [first, second]: readonly [T, T],
  act: (one: T) => Promise<number> | Promise<void>,
): Promise<Pair> {
  const timed = async (one: T): Promise<number> => {
    const started = performance.now();
    const given = await act(one);
    return given ?? performance.now() - started;
  };
  return [await timed(first), await timed(second)];
}

function medians(pairs: readonly Pair[]): Pair {
  const median = (values: readonly number[]): number =>
    values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
  return [median(pairs.map(([docker]) => docker)), median(pairs.map(([, runner]) => runner))];
}

function print(peers: string): void {
  console.log(`peers: ${peers}; medians; memory is PSS of the sidecar and all chaincode in it`);
  console.log(`\n  ${"".padEnd(24)}${"Docker".padStart(12)}${"runner".padStart(12)}${"ratio".padStart(10)}   wanted`);
  for (const [what, unit, [docker, runner], target] of rows) {
    const cells = [docker, runner].map((value) => `${value.toFixed(1)} ${unit}`.padStart(12)).join("");
    const ratio = runner / docker;
    const [relation, bound] = target.split(" ");
    const met = relation === "≤" ? ratio <= Number(bound) : ratio >= Number(bound);
    console.log(`  ${what.padEnd(24)}${cells}${ratio.toFixed(2).padStart(10)}   ${target}${met ? "" : "   missed"}`);
  }
}
