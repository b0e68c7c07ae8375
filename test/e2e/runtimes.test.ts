import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { once } from "../once.ts";
import { newKubectl } from "../sandbox/kubectl.ts";
import { loadImage, newest } from "./fabrics.ts";
import { publish } from "./service-image.ts";
import { newTestNetwork } from "./test-network.ts";

const { kubeconfig, binDir } = inject("cluster");
const kubectl = newKubectl(binDir, kubeconfig);
const chaincode = join(import.meta.dirname, "../chaincode/asset-transfer");

const network = await newTestNetwork("runtimes", { tag: newest.tag });
const { json: pluginJson, output: pluginOutput, run: runPlugin } = network.plugin;
const organizations = ["org1", "org2"] as const;
const image = "docker.io/example/asset-server:1";
const inDaemon = (organization: string) => [
  "-n",
  network.namespaceOf(organization),
  "exec",
  "peer0-0",
  "-c",
  "kubectl-fabric-dind",
  "--",
];
const docker = async (organization: string, ...args: string[]) =>
  (await kubectl([...inDaemon(organization), "docker", ...args])).trim();
const containers = (organization: string) => docker(organization, "ps", "--all", "--quiet", "--filter", "name=-asset-");
const state = async (organization: string) =>
  docker(organization, "inspect", "--format", "{{.State.Status}}", await containers(organization));

/** What a service consists of, as "deployment.apps/cc-asset-…". */
const serviceObjects = async (organization: string) => {
  const kinds = "deployments,services,networkpolicies,secrets,pods";
  const component = ["-l", "app.kubernetes.io/component=chaincode", "-o", "name"];
  return (await kubectl(["-n", network.namespaceOf(organization), "get", kinds, ...component]))
    .split("\n")
    .filter((line) => line !== "");
};

const channel = ["-C", "mychannel"];
const deploy = ["deploy-cc", "asset", ...channel];
const inDaemons = [...deploy, "--path", chaincode, ...loadImage];
const asService = [...deploy, "--runtime", "service", "--image", image, "--start", "node"];
const create = (id: string) => pluginOutput(["invoke", "asset", "CreateAsset", id, "tom", "100", ...channel]);
const read = async (id: string, org: string) =>
  JSON.parse(await pluginOutput(["query", "asset", "ReadAsset", id, ...channel, "--org", org])) as unknown;
/** The answer comes by one organization's peer; another's has the block a moment later. */
async function readable(id: string, org: string): Promise<void> {
  await expect.poll(() => read(id, org).catch(() => undefined), { timeout: 30_000 }).toEqual(asset(id));
}
const asset = (id: string) => ({ id, owner: "tom", value: 100 });

describe(`where chaincode runs, on Fabric ${newest.version}`, () => {
  beforeAll(async () => {
    await pluginOutput(network.init);
    await pluginOutput(["join", "mychannel"]);
  });

  afterAll(async () => {
    await network.remove();
  });

  const deployed = once(async () => {
    const { changed } = await pluginJson(inDaemons);
    await create("a1");
    return changed;
  });
  const served = once(async () => {
    await deployed();
    await publish(kubectl, { namespace: network.namespaceOf("org1"), chaincode: "asset", image });
    const { changed } = await pluginJson(asService);
    await create("a2");
    return changed;
  });
  const back = once(async () => {
    await served();
    return (await pluginJson(inDaemons)).changed;
  });

  test("in the peers' own Pods", async () => {
    expect(await deployed()).toBeGreaterThan(0);
    await readable("a1", "org2");
    for (const organization of organizations) expect(await serviceObjects(organization)).toEqual([]);
  });

  test("as a service by an upgrade, which keeps the state", async () => {
    expect(await served()).toBeGreaterThan(0);
    expect(await pluginOutput(["status"])).toMatch(/asset 2 \(sequence 2\)/);
    for (const organization of organizations) {
      await readable("a1", organization);
      await readable("a2", organization);
      const kinds = (await serviceObjects(organization)).map((name) => name.replace(/\/.*$/, ""));
      expect(kinds.toSorted()).toEqual([
        "deployment.apps",
        "networkpolicy.networking.k8s.io",
        "pod",
        "secret",
        "service",
      ]);
    }
    expect(await pluginJson(asService)).toMatchObject({ changed: 0, wouldChange: 0 });
    // A peer removes the container of what no channel needs any more.
    for (const organization of organizations) {
      await expect.poll(() => containers(organization), { timeout: 60_000 }).toBe("");
    }
  });

  test("back in the peers' Pods, where nothing of the service is left", async () => {
    expect(await back()).toBeGreaterThan(0);
    for (const organization of organizations) {
      await readable("a2", organization);
      expect(await state(organization)).toBe("running");
      await expect.poll(() => serviceObjects(organization), { timeout: 60_000 }).toEqual([]);
    }
    expect(await pluginJson(inDaemons)).toMatchObject({ changed: 0 });
  });

  test("on demand: stopped while nobody calls it, started by the next call", async () => {
    await back();
    const onDemand = [...deploy, "--runtime", "on-demand"];
    const { code, stderr } = await runPlugin(onDemand);
    expect([code, stderr]).toEqual([3, expect.stringContaining("init --chaincode-idle 10m sets it")]);
    await pluginOutput(["init", "--chaincode-idle", "5s"]);
    for (const organization of organizations) await readable("a1", organization);
    expect(await pluginJson(onDemand)).toMatchObject({ changed: 0 });
    await expect.poll(() => state("org1"), { timeout: 60_000 }).toBe("exited");
    expect(await read("a1", "org1")).toEqual(asset("a1"));
    expect(await state("org1")).toBe("running");
  });

  test("down leaves nothing", async () => {
    expect((await pluginJson(["down", "--yes"])).changed).toBe(3);
    const left = await kubectl([
      "get",
      "namespaces",
      ...organizations.map(network.namespaceOf),
      "--ignore-not-found",
      "-o",
      "name",
    ]);
    expect(left).toBe("");
  });
});
