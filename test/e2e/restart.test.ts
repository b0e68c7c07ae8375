import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { once } from "../once.ts";
import { newKubectl } from "../sandbox/kubectl.ts";
import { podsOf, whileCalled } from "./availability.ts";
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

/** Of each node: which Pod it is. */
async function nodes(): Promise<Readonly<Record<string, string>>> {
  const pods = await podsOf(kubectl, "restart");
  const found = pods.map(({ metadata }) => [`${metadata?.name}.${metadata?.namespace}`, metadata?.uid ?? ""]);
  return Object.fromEntries(found) as Record<string, string>;
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
    const before = await nodes();
    // The same image by another name, and another setting: each node is made anew.
    const image = `hyperledger/fabric-orderer:${newest.tag}`;
    const change = ["init", "--chaincode-idle", "10m", "--orderer-image", image];
    const observed = await whileCalled({ plugin: network.plugin, kubectl, network: "restart" }, () => json(change));
    return { before, after: await nodes(), observed };
  });

  test("a change of all nodes: one is down at a time, and no transaction fails", async () => {
    const { before, after, observed } = await restarted();
    expect(Object.keys(after).toSorted()).toEqual(Object.keys(before).toSorted());
    for (const [node, uid] of Object.entries(after)) expect({ node, uid }).not.toEqual({ node, uid: before[node] });
    expect(observed.mostDown).toBe(1);
    expect(observed.failed).toEqual([]);
    expect(observed.transactions).toBeGreaterThan(1); // how many there is time for is the machine's affair
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
