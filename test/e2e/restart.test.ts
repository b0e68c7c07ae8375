import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { V1Pod } from "../../plugin/kube/client-node.ts";
import { once } from "../once.ts";
import { newKubectl } from "../sandbox/kubectl.ts";
import { loadImage, newest } from "./fabrics.ts";
import { newTestNetwork } from "./test-network.ts";

const { kubeconfig, binDir } = inject("cluster");
const kubectl = newKubectl(binDir, kubeconfig);
const network = await newTestNetwork("restart", { tag: newest.tag, orderers: 3, peers: [2, 2] });
const { run, json, output } = network.plugin;
const chaincode = join(import.meta.dirname, "../chaincode/asset-transfer");

beforeAll(async () => {
  await output(network.init);
  await output(["join", "mychannel"]);
  await output(["deploy-cc", "asset", "--path", chaincode, "-C", "mychannel", ...loadImage]);
});
afterAll(() => network.remove());

async function pods(): Promise<readonly V1Pod[]> {
  const selected = ["get", "pods", "--all-namespaces", "-l", "kubectl-fabric.io/network=restart", "-o", "json"];
  return (JSON.parse(await kubectl(selected)) as { readonly items: readonly V1Pod[] }).items;
}

/** Of each node: which Pod it is. */
async function nodes(): Promise<Readonly<Record<string, string>>> {
  const found = (await pods()).map(({ metadata }) => [`${metadata?.name}.${metadata?.namespace}`, metadata?.uid ?? ""]);
  return Object.fromEntries(found) as Record<string, string>;
}

const isReady = ({ status }: V1Pod): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;

/** Looks until it is told to stop: how many of the seven nodes were away at a time, ending, gone or not yet ready again. */
async function mostDown(before: Readonly<Record<string, string>>, stop: AbortSignal): Promise<number> {
  // What was ready once and is not for a moment has not been restarted.
  const wereReady = new Set(Object.values(before));
  let most = 0;
  while (!stop.aborted) {
    const there = (await pods()).filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
    for (const pod of there.filter(isReady)) wereReady.add(pod.metadata?.uid ?? "");
    most = Math.max(most, 7 - there.filter(({ metadata }) => wereReady.has(metadata?.uid ?? "")).length);
    await sleep(200);
  }
  return most;
}

/** One transaction after the other, each tried again as a client does; gives those that failed for good, and how many there were. */
async function transactions(
  stop: AbortSignal,
): Promise<{ readonly count: number; readonly failed: readonly string[] }> {
  const failed: string[] = [];
  let count = 0;
  while (!stop.aborted) {
    const failure = await transaction(`t${count++}`);
    if (failure !== undefined) failed.push(failure);
    await sleep(500);
  }
  return { count, failed };
}

async function transaction(id: string): Promise<string | undefined> {
  let failure = "";
  for (let attempt = 0; attempt < 5; attempt++) {
    const { code, stderr } = await run(["invoke", "asset", "CreateAsset", id, "tom", "1", "-C", "mychannel"]);
    // Of the attempt before, whose answer was lost.
    if (code === 0 || /already exists/.test(stderr)) return undefined;
    failure = stderr;
    await sleep(1000);
  }
  return failure;
}

describe(`nodes of Fabric ${newest.version} that have to be restarted`, () => {
  test("an image that is not there: nothing is written, nobody is restarted", async () => {
    const before = await nodes();
    const { code, stderr } = await run(["init", "--fabric-version", "9.9"]);
    expect(stderr).toMatch(/expected the cluster to have the image \S+\/fabric-orderer:9\.9; /);
    expect(stderr).toMatch(/hint: nothing was changed/);
    expect(code).toBe(3);
    expect(await nodes()).toEqual(before);
    expect(await json(["init"])).toMatchObject({ changed: 0 });
  });

  const restarted = once(async () => {
    const stop = new AbortController();
    const before = await nodes();
    const observed = Promise.all([mostDown(before, stop.signal), transactions(stop.signal)]);
    try {
      // The same image by another name, and another setting: each node is made anew.
      const image = `hyperledger/fabric-orderer:${newest.tag}`;
      const report = await json(["init", "--chaincode-idle", "10m", "--orderer-image", image]);
      return { before, report, after: await nodes(), observed: (stop.abort(), await observed) };
    } finally {
      stop.abort();
      await observed;
    }
  });

  test("a change of all nodes: one is down at a time, and no transaction fails", async () => {
    const { before, after, observed } = await restarted();
    expect(Object.keys(after).toSorted()).toEqual(Object.keys(before).toSorted());
    for (const [node, uid] of Object.entries(after)) expect({ node, uid }).not.toEqual({ node, uid: before[node] });
    const [most, { count, failed }] = observed;
    expect(most).toBe(1);
    expect(failed).toEqual([]);
    expect(count).toBeGreaterThan(1); // how many there is time for is the machine's affair
  });

  test("status tells of each node what it runs", async () => {
    await restarted();
    const { upToDate, nodes: all } = await json<{
      upToDate: boolean;
      nodes: readonly { readonly component: string; readonly image: string }[];
    }>(["status"]);
    expect(upToDate).toBe(true);
    const images = new Set(all.filter(({ component }) => component === "orderer").map(({ image }) => image));
    expect([...images]).toEqual([`hyperledger/fabric-orderer:${newest.tag}`]);
  });

  test("a peer that was ejected never becomes ready; init gives its daemon back and replaces its Pod", async () => {
    const org1 = network.namespaceOf("org1");
    const asked = await run(["eject", "statefulset/peer1", "-n", org1]);
    expect(asked.stderr).toMatch(/peer1\.restart-org1 is a peer of network restart: without its daemon/);
    expect(asked.code).toBe(2);
    const before = (await nodes())[`peer1-0.${org1}`];
    await output(["eject", "statefulset/peer1", "-n", org1, "--yes"]);
    const ejected = async () => (await nodes())[`peer1-0.${org1}`];
    await expect.poll(async () => [undefined, before].includes(await ejected()), { timeout: 60_000 }).toBe(false);
    await output(["init"]);
    const { ready } = await json<{ ready: boolean }>(["status"]);
    expect(ready).toBe(true);
  });
});
