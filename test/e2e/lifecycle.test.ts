import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { once } from "../once.ts";
import { newKubectl } from "../sandbox/kubectl.ts";
import { loadImage, newest } from "./fabrics.ts";
import { newTestNetwork } from "./test-network.ts";

const { kubeconfig, binDir } = inject("cluster");
const kubectl = newKubectl(binDir, kubeconfig);
const network = await newTestNetwork("lifecycle", { tag: newest.tag, peers: [2, 1] });
const { output: pluginOutput, json: pluginJson, run: runPlugin, killedAfter } = network.plugin;
const org1 = network.namespaceOf("org1");
const peerOf = (peer: string, organization: string) => `${peer}.${network.namespaceOf(organization)}`;
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
  work = await mkdtemp(join(tmpdir(), "lifecycle-"));
  for (const label of ["first", "second", "late"]) {
    packages[label] = join(work, `${label}.tar.gz`);
    await pluginOutput(["chaincode", "package", folder, "--label", label, "--file", packages[label], "--offline"]);
  }
  await pluginOutput(network.init);
  await pluginOutput(["join", "mychannel"]);
});

afterAll(async () => {
  await network.remove();
  await rm(work, { recursive: true, force: true });
});

const deployment = (args: readonly string[]) => ["deploy-cc", ...args, "-C", "mychannel", ...loadImage];
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

/** Stages that tests build on. */
const first = once(async () => {
  const deployed = await deploy("asset", ...path("first"));
  await invoke("asset", "CreateAsset", "a1", "tom", "1");
  return deployed;
});
const otherPolicy = once(async () => {
  await first();
  return deploy("asset", "--policy", either);
});
const upgraded = once(async () => {
  await otherPolicy();
  const upgrade = deployment(["asset", ...path("second")]);
  let kills = 0;
  // One step further each time: lines of what is done already count, too.
  while ((await killedAfter(kills + 1, upgrade)).signal === "SIGKILL") kills += 1;
  return kills;
});

describe(`the lifecycle of a chaincode on Fabric ${newest.version}`, () => {
  test("first deployment: installed, approved, committed and started on each peer", async () => {
    const { steps, state } = await first();
    // Whether our call starts the chaincode or its peer, which does so by itself after the commit, is a race
    // (Fabric core/chaincode/lifecycle/custodian.go); that it runs on each peer is not.
    expect(steps).toMatchObject({ install: 3, approve: 2, commit: 1 });
    expect(state).toMatchObject({ version: "1", sequence: 1, approvals: { Org1MSP: true, Org2MSP: true } });
    expect(state.peers).toHaveLength(3);
    for (const peer of state.peers) expect(peer).toMatchObject({ installed: true, container: { state: "running" } });
  });

  test("unchanged, with and without the package: nothing", async () => {
    await first();
    expect((await deploy("asset", ...path("first"))).steps).toEqual({});
    expect((await deploy("asset")).steps).toEqual({});
  });

  test("another policy only: no package is installed, no container started", async () => {
    const { steps, state } = await otherPolicy();
    expect(steps).toMatchObject({ approve: 2, commit: 1 });
    expect(steps).not.toHaveProperty("install");
    expect(steps).not.toHaveProperty("started");
    expect(state).toMatchObject({ version: "1", sequence: 2, policy: either });
  });

  test("an upgrade killed after each of its steps goes on where it stopped", async () => {
    expect(await upgraded()).toBeGreaterThan(5);
    const { steps, state } = await deploy("asset", ...path("second"));
    expect(steps).toEqual({});
    expect(state).toMatchObject({ version: "3", sequence: 3, policy: either });
    expect(await query("asset", "ReadAsset", "a1", "--org", "org2")).toContain("tom");
  });

  test("rollback: the first definition, its package is there already", async () => {
    await upgraded();
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
    const private_ = ["private", ...path("first"), "--collections", collections, "--policy", either];
    const { state } = await deploy(...private_);
    expect(state.collections).toMatchObject([{ name: "appraisals" }]);
    const secret = join(work, "transient.json");
    await writeFile(secret, '{"appraisal":"42"}');
    await invoke("private", "CreateAsset", "a1", "tom", "1");
    await invoke("private", "Appraise", "appraisals", "a1", "--transient-file", secret, "--endorsing-orgs", "org1");
    expect(await query("private", "ReadAppraisal", "appraisals", "a1", "--org", "org1")).toBe("42\n");
    expect((await deploy("private", "--policy", "/Channel/Application/Endorsement")).state.collections).toHaveLength(1);
  });

  test("init required: the deployment calls it, and again for an upgrade", async () => {
    const init = ["--init", "--init-args", '{"Args":["CreateAsset","i1","eve","7"]}'];
    expect((await deploy("ready", ...path("first"), ...init)).steps).toMatchObject({ init: 1, commit: 1 });
    expect(JSON.parse(await query("ready", "--args", '["ReadAsset","i1"]'))).toMatchObject({ owner: "eve" });
    expect((await deploy("ready", ...path("first"), ...init)).steps).toEqual({});
  });

  test("two channels run one package: nothing is installed for the second", async () => {
    await first();
    await pluginOutput(["join", "second"]);
    const args = ["deploy-cc", "asset", ...path("first"), "-C", "second"];
    const { steps } = await pluginJson(args);
    expect(steps.filter(({ id, result }) => id.startsWith("install/") && result === "changed")).toEqual([]);
    await pluginOutput(["invoke", "asset", "CreateAsset", "b1", "ann", "2", "-C", "second"]);
    const states = await pluginJson<State[]>(["chaincode", "list"]);
    const listed = states.map(({ channel, name }) => `${channel}/${name}`);
    expect(listed).toEqual(listed.toSorted());
    expect(listed).toEqual(expect.arrayContaining(["mychannel/asset", "second/asset"]));
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
      kubectl(["-n", org1, "scale", "statefulset/peer1", `--replicas=${replicas}`, "--timeout=120s"]);
    await scale(0);
    await kubectl(["-n", org1, "wait", "pod/peer1-0", "--for=delete", "--timeout=120s"]);
    const without = await runPlugin(deployment(["down", ...path("late")]));
    expect(without.stderr).toMatch(/peer1.lifecycle-org1 is not ready/);
    expect(without.code).toBe(3);
    expect(await pluginJson<State[]>(["chaincode", "list"])).toContainEqual(
      expect.objectContaining({ name: "down", sequence: 1 }),
    );
    await scale(1);
    await kubectl(["-n", org1, "rollout", "status", "statefulset/peer1", "--timeout=120s"]);
    await deploy("down", ...path("late"));
    expect((await deploy("down", ...path("late"))).steps).toEqual({});
  });
});

describe("a chaincode that runs", () => {
  beforeAll(first);

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
    for (const peer of [peerOf("peer0", "org1"), peerOf("peer0", "org2")]) expect(all).toContain(`${peer} | `);
    const one = await pluginOutput([
      "chaincode",
      "logs",
      "asset",
      "-C",
      "mychannel",
      "--peer",
      peerOf("peer0", "org2"),
    ]);
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
