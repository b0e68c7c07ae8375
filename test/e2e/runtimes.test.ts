import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { newKubectl } from "../sandbox/kubectl.ts";
import { sandboxLoad } from "../sandbox/sandbox.ts";
import { newestFabric as newest, newestFabricTag as tag } from "./newest-fabric.ts";
import { pluginJson, pluginOutput, runPlugin } from "./plugin-process.ts";

const { kubeconfig, binDir, nodeenvArchive } = inject("sandbox");
const kubectl = newKubectl(binDir, kubeconfig);
const chaincode = join(import.meta.dirname, "../chaincode/asset-transfer");

const organizations = ["org1", "org2"] as const;
const image = "docker.io/example/asset-server:1";
const inDaemon = (namespace: string) => ["-n", namespace, "exec", "peer0-0", "-c", "kubectl-fabric-dind", "--"];
const docker = async (namespace: string, ...args: string[]) =>
  (await kubectl([...inDaemon(namespace), "docker", ...args])).trim();
const containers = (namespace: string) => docker(namespace, "ps", "--all", "--quiet", "--filter", "name=-asset-");
const state = async (namespace: string) =>
  docker(namespace, "inspect", "--format", "{{.State.Status}}", await containers(namespace));

/** What a service consists of, as "deployment.apps/cc-asset-…". */
const serviceObjects = async (namespace: string) => {
  const kinds = "deployments,services,networkpolicies,secrets,pods";
  const component = ["-l", "app.kubernetes.io/component=chaincode", "-o", "name"];
  return (await kubectl(["-n", namespace, "get", kinds, ...component])).split("\n").filter((line) => line !== "");
};

const channel = ["-C", "mychannel"];
const deploy = ["deploy-cc", "asset", ...channel];
const inDaemons = [...deploy, "--path", chaincode, "--load-image", nodeenvArchive];
const asService = [...deploy, "--runtime", "service", "--image", image, "--start", "node"];
const create = (id: string) => pluginOutput(["invoke", "asset", "CreateAsset", id, "tom", "100", ...channel]);
const read = async (id: string, org: string) =>
  JSON.parse(await pluginOutput(["query", "asset", "ReadAsset", id, ...channel, "--org", org])) as unknown;
const asset = (id: string) => ({ id, owner: "tom", value: 100 });

/** What a peer's daemon has built becomes an image of the cluster, which would pull it from a registry elsewhere. */
async function publish(namespace: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "service-image-"));
  try {
    const archive = join(folder, "image.tar");
    // Of the image alone: the container has the peer's keys and settings, too.
    const built = await docker(namespace, "inspect", "--format", "{{.Image}}", await containers(namespace));
    const fresh = await docker(namespace, "create", built);
    await docker(namespace, "commit", "--change", "WORKDIR /usr/local/src", fresh, image);
    await docker(namespace, "rm", fresh);
    const child = kubectl.start([...inDaemon(namespace), "docker", "save", image]);
    if (!child.stdout) throw new Error("expected kubectl to have an output");
    const exited = once(child, "exit");
    await pipeline(child.stdout, createWriteStream(archive));
    expect(await exited).toEqual([0, null]);
    await docker(namespace, "rmi", image);
    await sandboxLoad(archive);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe(`where chaincode runs, on Fabric ${newest}`, () => {
  beforeAll(async () => {
    execFileSync("npm", ["ci", "--silent", "--prefix", chaincode], { stdio: "inherit" });
    await pluginOutput(["webhook", "install"]);
    await pluginOutput(["init", "--fabric-version", tag, "--orderers", "1"]);
    await pluginOutput(["join", "mychannel"]);
  });

  afterAll(async () => {
    await pluginOutput(["down", "--yes"]);
    await pluginOutput(["webhook", "uninstall"]);
  });

  test("in the peers' own Pods", async () => {
    expect((await pluginJson(inDaemons)).changed).toBeGreaterThan(0);
    await create("a1");
    expect(await read("a1", "org2")).toEqual(asset("a1"));
    for (const namespace of organizations) expect(await serviceObjects(namespace)).toEqual([]);
  });

  test("as a service by an upgrade, which keeps the state", async () => {
    await publish("org1");
    expect((await pluginJson(asService)).changed).toBeGreaterThan(0);
    expect(await pluginOutput(["status"])).toMatch(/asset 2 \(sequence 2\)/);
    for (const namespace of organizations) {
      expect(await read("a1", namespace)).toEqual(asset("a1"));
      const kinds = (await serviceObjects(namespace)).map((name) => name.replace(/\/.*$/, ""));
      expect(kinds.toSorted()).toEqual([
        "deployment.apps",
        "networkpolicy.networking.k8s.io",
        "pod",
        "secret",
        "service",
      ]);
    }
    await create("a2");
    expect(await read("a2", "org2")).toEqual(asset("a2"));
    expect(await pluginJson(asService)).toMatchObject({ changed: 0, wouldChange: 0 });
  });

  test("which leaves no container in the peers' daemons: a peer removes what no channel needs", async () => {
    for (const namespace of organizations) {
      await expect.poll(() => containers(namespace), { timeout: 60_000 }).toBe("");
    }
  });

  test("back in the peers' Pods, where nothing of the service is left", async () => {
    expect((await pluginJson(inDaemons)).changed).toBeGreaterThan(0);
    for (const namespace of organizations) {
      expect(await read("a2", namespace)).toEqual(asset("a2"));
      expect(await state(namespace)).toBe("running");
      await expect.poll(() => serviceObjects(namespace), { timeout: 60_000 }).toEqual([]);
    }
    expect(await pluginJson(inDaemons)).toMatchObject({ changed: 0 });
  });

  test("on demand: stopped while nobody calls it, started by the next call", async () => {
    const onDemand = [...deploy, "--runtime", "on-demand"];
    const { code, stderr } = await runPlugin(onDemand);
    expect([code, stderr]).toEqual([3, expect.stringContaining("init --chaincode-idle 10m sets it")]);
    await pluginOutput(["init", "--fabric-version", tag, "--orderers", "1", "--chaincode-idle", "5s"]);
    for (const namespace of organizations) expect(await read("a1", namespace)).toEqual(asset("a1"));
    expect(await pluginJson(onDemand)).toMatchObject({ changed: 0 });
    await expect.poll(() => state("org1"), { timeout: 60_000 }).toBe("exited");
    expect(await read("a1", "org1")).toEqual(asset("a1"));
    expect(await state("org1")).toBe("running");
  });

  test("down leaves nothing", async () => {
    expect((await pluginJson(["down", "--yes"])).changed).toBe(3);
    const left = await kubectl(["get", "namespaces", ...organizations, "--ignore-not-found", "-o", "name"]);
    expect(left).toBe("");
  });
});
