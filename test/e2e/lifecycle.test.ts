import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { newKubectl } from "../sandbox/kubectl.ts";
import { newestFabric as version, newestFabricTag as tag } from "./newest-fabric.ts";
import { killedAfter, pluginJson, pluginOutput, runPlugin } from "./plugin-process.ts";

const { kubeconfig, binDir, nodeenvArchive } = inject("sandbox");
const kubectl = newKubectl(binDir, kubeconfig);
const folder = join(import.meta.dirname, "../chaincode/asset-transfer");
const either = "OR('Org1MSP.peer', 'Org2MSP.peer')";

interface Container {
  readonly id: string;
  readonly state: string;
  readonly image: string;
}

interface State {
  readonly channel: string;
  readonly name: string;
  readonly version: string;
  readonly sequence: number;
  readonly policy: string;
  readonly collections: readonly { readonly name: string }[];
  readonly approvals: Readonly<Record<string, boolean>>;
  readonly peers: readonly {
    readonly peer: string;
    readonly installed: boolean;
    readonly container: Container | string;
    readonly problem?: string;
  }[];
}

let work: string;
const packages: Record<string, string> = {};

beforeAll(async () => {
  execFileSync("npm", ["ci", "--silent", "--prefix", folder], { stdio: "inherit" });
  work = await mkdtemp(join(tmpdir(), "lifecycle-"));
  for (const label of ["first", "second", "late"]) {
    packages[label] = join(work, `${label}.tar.gz`);
    await pluginOutput(["chaincode", "package", folder, "--label", label, "--file", packages[label], "--offline"]);
  }
  const network = {
    apiVersion: "kubectl-fabric.io/v1alpha1",
    kind: "FabricNetwork",
    metadata: { name: "fabric" },
    spec: {
      fabricVersion: tag,
      images: {
        peer: `docker.io/hyperledger/fabric-peer:${tag}`,
        orderer: `docker.io/hyperledger/fabric-orderer:${tag}`,
      },
      storage: { ledger: "1Gi", docker: "5Gi" },
      ordererOrganization: { name: "orderer", mspId: "OrdererMSP", namespace: "orderer", orderers: 1 },
      peerOrganizations: [
        { name: "org1", mspId: "Org1MSP", namespace: "org1", peers: 2 },
        { name: "org2", mspId: "Org2MSP", namespace: "org2", peers: 1 },
      ],
    },
  };
  await writeFile(join(work, "network.json"), JSON.stringify(network));
  await pluginOutput(["webhook", "install"]);
  await pluginOutput(["init", "--file", join(work, "network.json")]);
  await pluginOutput(["join", "mychannel"]);
});

afterAll(async () => {
  await pluginOutput(["down", "--yes"]);
  await pluginOutput(["webhook", "uninstall"]);
  await rm(work, { recursive: true, force: true });
});

const deployment = (args: readonly string[]) => [
  "deploy-cc",
  ...args,
  "-C",
  "mychannel",
  "--load-image",
  nodeenvArchive,
];
/** What a deployment changed, counted by kind of step; and the state it left. */
async function deploy(...args: readonly string[]): Promise<{ steps: Record<string, number>; state: State }> {
  const { steps, state } = await pluginJson<{ steps: { id: string; result: string }[]; state: State }>(
    deployment(args),
  );
  const changed = steps.filter(({ result }) => result === "changed").map(({ id }) => id.replace(/\/.*/, ""));
  return {
    steps: Object.fromEntries(changed.map((kind) => [kind, changed.filter((it) => it === kind).length])),
    state,
  };
}
const invoke = (...args: readonly string[]) => pluginOutput(["invoke", ...args, "-C", "mychannel"]);
const query = (...args: readonly string[]) => pluginOutput(["query", ...args, "-C", "mychannel"]);
const path = (label: string) => ["--path", packages[label] ?? ""];

describe(`the lifecycle of a chaincode on Fabric ${version}`, () => {
  test("first deployment: installed, approved, committed and started on each peer", async () => {
    const { steps, state } = await deploy("asset", ...path("first"));
    // Whether our call starts the chaincode or its peer, which does so by itself after the commit, is a race
    // (Fabric core/chaincode/lifecycle/custodian.go); that it runs on each peer is not.
    expect(steps).toMatchObject({ install: 3, approve: 2, commit: 1 });
    expect(state).toMatchObject({ version: "1", sequence: 1, approvals: { Org1MSP: true, Org2MSP: true } });
    expect(state.peers).toHaveLength(3);
    for (const peer of state.peers) expect(peer).toMatchObject({ installed: true, container: { state: "running" } });
    await invoke("asset", "CreateAsset", "a1", "tom", "1");
  });

  test("unchanged, with and without the package: nothing", async () => {
    expect((await deploy("asset", ...path("first"))).steps).toEqual({});
    expect((await deploy("asset")).steps).toEqual({});
  });

  test("another policy only: no package is installed, no container started", async () => {
    const { steps, state } = await deploy("asset", "--policy", either);
    expect(steps).toMatchObject({ approve: 2, commit: 1 });
    expect(steps).not.toHaveProperty("install");
    expect(steps).not.toHaveProperty("started");
    expect(state).toMatchObject({ version: "1", sequence: 2, policy: either });
  });

  test("an upgrade killed after each of its steps goes on where it stopped", async () => {
    const upgrade = deployment(["asset", ...path("second")]);
    let kills = 0;
    // One step further each time: lines of what is done already count, too.
    while ((await killedAfter(kills + 1, upgrade)).signal === "SIGKILL") kills += 1;
    expect(kills).toBeGreaterThan(5);
    const { steps, state } = await deploy("asset", ...path("second"));
    expect(steps).toEqual({});
    expect(state).toMatchObject({ version: "3", sequence: 3, policy: either });
    expect(await query("asset", "ReadAsset", "a1", "--org", "org2")).toContain("tom");
  });

  test("rollback: the first definition, its package is there already", async () => {
    const { steps, state } = await deploy("asset", "--rollback-to", "1");
    expect(steps).not.toHaveProperty("install");
    expect(state).toMatchObject({ version: "1", sequence: 4, policy: "/Channel/Application/Endorsement" });
    expect(await query("asset", "ReadAsset", "a1")).toContain("tom");
    expect((await deploy("asset", "--rollback-to", "1")).steps).toEqual({});
  });

  test("collections: what only members may know, from transient data in a file", async () => {
    const collections = join(work, "collections.json");
    const members = "OR('Org1MSP.member', 'Org2MSP.member')";
    await writeFile(collections, JSON.stringify([{ name: "appraisals", policy: members, memberOnlyRead: true }]));
    const { state } = await deploy("asset", "--collections", collections, "--policy", either);
    expect(state.collections).toMatchObject([{ name: "appraisals" }]);
    const secret = join(work, "transient.json");
    await writeFile(secret, '{"appraisal":"42"}');
    await invoke("asset", "Appraise", "appraisals", "a1", "--transient-file", secret, "--endorsing-orgs", "org1");
    expect(await query("asset", "ReadAppraisal", "appraisals", "a1", "--org", "org1")).toBe("42\n");
    expect((await deploy("asset", "--policy", "/Channel/Application/Endorsement")).state.collections).toHaveLength(1);
  });

  test("init required: the deployment calls it, and again for an upgrade", async () => {
    const init = ["--init", "--init-args", '{"Args":["CreateAsset","i1","eve","7"]}'];
    expect((await deploy("ready", ...path("first"), ...init)).steps).toMatchObject({ init: 1, commit: 1 });
    expect(JSON.parse(await query("ready", "--args", '["ReadAsset","i1"]'))).toMatchObject({ owner: "eve" });
    expect((await deploy("ready", ...path("first"), ...init)).steps).toEqual({});
  });

  test("two channels run one package: nothing is installed for the second", async () => {
    await pluginOutput(["join", "second"]);
    const args = ["deploy-cc", "asset", ...path("first"), "-C", "second"];
    const { steps } = await pluginJson(args);
    expect(steps.filter(({ id, result }) => id.startsWith("install/") && result === "changed")).toEqual([]);
    await pluginOutput(["invoke", "asset", "CreateAsset", "b1", "ann", "2", "-C", "second"]);
    const states = await pluginJson<State[]>(["chaincode", "list"]);
    expect(states.map(({ channel, name }) => `${channel}/${name}`)).toEqual([
      "mychannel/asset",
      "mychannel/ready",
      "second/asset",
    ]);
  });

  test("one organization is late: 3 until it approves, told what to type", async () => {
    const alone = await runPlugin(deployment(["late", ...path("late"), "--org", "org1"]));
    expect(alone.code).toBe(3);
    expect(alone.stderr).toMatch(/still to approve: Org2MSP/);
    expect(alone.stderr).toMatch(/kubectl fabric deploy-cc late -C mychannel --path \S+ --org org2/);
    expect((await deploy("late", ...path("late"), "--org", "org2")).steps).toMatchObject({ approve: 1, commit: 1 });
  });

  test("one peer is down: the others go on, 3 names it, and it catches up", async () => {
    const scale = (replicas: number) =>
      kubectl(["-n", "org1", "scale", "statefulset/peer1", `--replicas=${replicas}`, "--timeout=120s"]);
    await scale(0);
    await kubectl(["-n", "org1", "wait", "pod/peer1-0", "--for=delete", "--timeout=120s"]);
    const without = await runPlugin(deployment(["down", ...path("late")]));
    expect(without.stderr).toMatch(/peer1.org1 is not ready/);
    expect(without.code).toBe(3);
    expect(await pluginJson<State[]>(["chaincode", "list"])).toContainEqual(
      expect.objectContaining({ name: "down", sequence: 1 }),
    );
    await scale(1);
    await kubectl(["-n", "org1", "rollout", "status", "statefulset/peer1", "--timeout=120s"]);
    await deploy("down", ...path("late"));
    expect((await deploy("down", ...path("late"))).steps).toEqual({});
  });
});

describe("a chaincode that runs", () => {
  test("an event is waited for", async () => {
    const call = [
      "invoke",
      "asset",
      "CreateAsset",
      "e1",
      "tom",
      "1",
      "-C",
      "mychannel",
      "--wait-event",
      "AssetCreated",
    ];
    const { event, decoded } = await pluginJson<{ event: { name: string; payload: string }; decoded: object }>(call);
    expect([event.name, JSON.parse(event.payload)]).toEqual(["AssetCreated", { id: "e1", owner: "tom", value: 1 }]);
    expect(decoded).toEqual({ id: "e1", owner: "tom", value: 1 });
  });

  test("its log has every peer before its lines, or is one peer's", async () => {
    const all = await pluginOutput(["chaincode", "logs", "asset", "-C", "mychannel"]);
    for (const peer of ["peer0.org1", "peer0.org2"]) expect(all).toContain(`${peer} | `);
    const one = await pluginOutput(["chaincode", "logs", "asset", "-C", "mychannel", "--peer", "peer0.org2"]);
    expect(one).not.toContain(" | ");
    expect(one.length).toBeGreaterThan(0);
  });

  test("restarted, it has another container and answers", async () => {
    const containers = async () => {
      const { peers } = await pluginJson<State>(["chaincode", "inspect", "asset", "-C", "mychannel"]);
      return peers.map(({ peer, container, problem }) => {
        if (typeof container !== "string") return container.id;
        throw new Error(`expected ${peer} to run asset, found its container ${container}: ${problem ?? "no problem"}`);
      });
    };
    const before = await containers();
    await pluginOutput(["chaincode", "restart", "asset", "-C", "mychannel"]);
    const after = await containers();
    expect(after).toHaveLength(before.length);
    expect(after.filter((id) => before.includes(id))).toEqual([]);
    expect(await query("asset", "ReadAsset", "a1")).toContain("tom");
  });
});
