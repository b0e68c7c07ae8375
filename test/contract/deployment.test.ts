import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { deploySteps } from "../../core/chaincode/rollout/deploy.ts";
import type { DeployRequest } from "../../core/chaincode/deployment/deploy-request.ts";
import {
  approvedDefinition,
  committedDefinition,
  type CommittedDefinition,
} from "../../core/fabric/chaincode/lifecycle.ts";
import { printEndorsementPolicy } from "../../core/fabric/policy/endorsement-policy.ts";
import { reachGateway } from "../../core/network/session/reach.ts";
import { hostOf, peerNodes, type FabricNode } from "../../core/network/resources/nodes.ts";
import type { StepEvent } from "../../core/engine/report.ts";
import { runToEnd } from "../run-to-end.ts";
import type { FabricError } from "../../core/error.ts";
import type { StepContext } from "../../core/engine/step.ts";
import { joinAll } from "../integration/emulator/network/actions.ts";
import { hear, unheard } from "../integration/emulator/network/answers.ts";
import { channelId as channel, eventually, type Network } from "../integration/emulator/network/network.ts";
import { compareAnswers } from "./answers/recording.ts";
import { assetTransfer } from "./chaincode.ts";
import { columns, startColumn } from "./column.ts";
import { pluginNetwork, type PluginNetwork } from "./plugin-network.ts";
import { newStory } from "../story.ts";
import { typedAs } from "../typed-as.ts";

const { signal } = new AbortController();
const utf8 = new TextDecoder();
const escaped = (text: string): string => text.replaceAll(/[()]/g, "\\$&");

describe.each(columns)("$name", (column) => {
  const { missing } = column;
  let nodes: Network;
  let network: PluginNetwork;
  let work: string;
  let first: string;
  let second: string;
  let chosen: string;
  let late: string;
  let midst: string;
  let gone: string;
  /** Packages of different IDs, packed once. */
  const packed = async (label: string): Promise<string> => {
    const file = join(work, `${label}.tar.gz`);
    await writeFile(file, (await assetTransfer(label)).bytes);
    return file;
  };

  const test = newStory();

  compareAnswers(column, () => nodes);

  beforeAll(async () => {
    if (missing !== undefined) return;
    nodes = await startColumn(column, "programs", {}, ["Org1MSP", "Org1MSP", "Org2MSP"]);
    await joinAll(nodes);
    network = pluginNetwork(nodes);
    work = await mkdtemp(join(tmpdir(), "deployment-"));
    first = await packed("first");
    second = await packed("second");
    chosen = await packed("chosen");
    late = await packed("late");
    midst = await packed("midst");
    gone = await packed("gone");
  });

  afterAll(async () => {
    await network?.close();
    await nodes?.stop();
    if (work !== undefined) await rm(work, { recursive: true, force: true });
  });

  const node = (host: string): FabricNode => {
    const found = peerNodes(network.definition).find((candidate) => hostOf(candidate) === host);
    if (!found) throw new Error(`no peer ${host}`);
    return found;
  };
  /** IDs of the steps that changed something. */
  const deploy = async (request: Omit<DeployRequest, "channel">): Promise<readonly string[]> => {
    const { outcomes } = await runToEnd(await deploySteps(network, { channel, ...request }, signal), { signal });
    return [...outcomes].filter(([, { result }]) => result === "changed").map(([id]) => id.replace(/\/.*/, ""));
  };
  const policyOf = ({ endorsementPolicy }: CommittedDefinition) => printEndorsementPolicy(endorsementPolicy);
  const committed = async (name: string, host = "peer0.org1"): Promise<CommittedDefinition | undefined> => {
    const client = await reachGateway(network, node(host), signal);
    const found = await committedDefinition(client, channel, name);
    hear(`the definition of ${name} at ${host}`, found && { ...found, endorsementPolicy: policyOf(found) });
    return found;
  };
  const invoke = async (name: string, host: string, call: readonly string[], transient?: Record<string, string>) => {
    const { gateway } = await reachGateway(network, node(host), signal);
    const [called = "", ...args] = call;
    const request = { channel, chaincode: name, function: called, arguments: args, ...(transient && { transient }) };
    const result = utf8.decode((await gateway.submit(request)).result);
    hear(`${name} ${called} through ${host}`, result);
    return result;
  };
  const query = async (name: string, host: string, call: readonly string[]): Promise<string> => {
    const { gateway } = await reachGateway(network, node(host), signal);
    const [called = "", ...args] = call;
    const result = utf8.decode(await gateway.evaluate({ channel, chaincode: name, function: called, arguments: args }));
    hear(`${name} ${called} through ${host}`, result);
    return result;
  };
  const counted = (steps: readonly string[]) =>
    Object.fromEntries(steps.map((step) => [step, steps.filter((other) => other === step).length]));

  describe.skipIf(missing)("deploying a chaincode", () => {
    test("installs it on every peer, approves, commits", async () => {
      const steps = await deploy({ name: "assets", path: first });
      expect(counted(steps)).toMatchObject({ install: 3, approve: 2, commit: 1 });
      expect(await committed("assets")).toMatchObject({ version: "1", sequence: 1, initRequired: false });
      expect(JSON.parse(await invoke("assets", "peer0.org1", ["CreateAsset", "a1", "tom", "1"]))).toMatchObject({
        id: "a1",
      });
    });

    test("does nothing when nothing has changed, with and without the source", async () => {
      expect(await deploy({ name: "assets", path: first })).toEqual([]);
      expect(await deploy({ name: "assets" })).toEqual([]);
    });

    test("changes the policy alone: no package, same version, next sequence", async () => {
      const policy = "OR('Org1MSP.peer', 'Org2MSP.peer')";
      expect(counted(await deploy({ name: "assets", policy }))).toMatchObject({ approve: 2, commit: 1 });
      const definition = await committed("assets");
      expect(definition).toMatchObject({ version: "1", sequence: 2 });
      expect(definition && policyOf(definition)).toBe(policy);
      expect(await deploy({ name: "assets", policy })).toEqual([]);
    });

    test("upgrades the package and keeps the policy", async () => {
      expect(counted(await deploy({ name: "assets", path: second }))).toMatchObject({
        install: 3,
        approve: 2,
        commit: 1,
      });
      const definition = await committed("assets");
      expect(definition).toMatchObject({ version: "3", sequence: 3 });
      expect(definition && policyOf(definition)).toMatch(/^OR/);
      expect(await query("assets", "peer0.org2", ["ReadAsset", "a1"])).toContain("tom");
    });

    test("goes back to the first definition: its package, version and policy", async () => {
      const steps = counted(await deploy({ name: "assets", rollbackTo: 1 }));
      expect(steps).toMatchObject({ approve: 2, commit: 1 });
      expect(steps).not.toHaveProperty("install");
      const definition = await committed("assets");
      expect(definition).toMatchObject({ version: "1", sequence: 4 });
      expect(definition && policyOf(definition)).toBe("/Channel/Application/Endorsement");
      expect(await deploy({ name: "assets", rollbackTo: 1 })).toEqual([]);
    });

    test("takes collections, and keeps them in what comes after", async () => {
      const collections = join(work, "collections.json");
      await writeFile(
        collections,
        JSON.stringify([
          { name: "appraisals", policy: "OR('Org1MSP.member', 'Org2MSP.member')", memberOnlyRead: true },
        ]),
      );
      expect(await deploy({ name: "assets", collections })).toContain("commit");
      await invoke("assets", "peer0.org1", ["Appraise", "appraisals", "a1"], { appraisal: "42" });
      expect(await query("assets", "peer0.org1", ["ReadAppraisal", "appraisals", "a1"])).toBe("42");
      expect(await deploy({ name: "assets", policy: "OR('Org1MSP.peer', 'Org2MSP.peer')" })).toContain("commit");
      expect(await query("assets", "peer0.org1", ["ReadAppraisal", "appraisals", "a1"])).toBe("42");
      expect((await committed("assets"))?.collections.length).toBeGreaterThan(0);
      await expect(deploy({ name: "assets", collections: await none() })).rejects.toMatchObject({
        code: "usage",
        message: expect.stringContaining("appraisals") as string,
      });
    });

    const none = async (): Promise<string> => {
      const file = join(work, "none.json");
      await writeFile(file, "[]");
      return file;
    };

    test("goes back past a collection without losing it", async () => {
      expect(await deploy({ name: "assets", rollbackTo: 1 })).toContain("commit");
      expect(await query("assets", "peer0.org1", ["ReadAppraisal", "appraisals", "a1"])).toBe("42");
    });

    test("refuses what the channel does not know, before anything is done", async () => {
      await expect(deploy({ name: "assets", policy: "OR('Org9MSP.peer')" })).rejects.toThrow(/found Org9MSP/);
      await expect(deploy({ name: "assets", policy: "/Channel/Application/Nobody" })).rejects.toThrow(
        /Endorsement.*found/,
      );
      await expect(deploy({ name: "assets", policy: "AND('Org1MSP.peer', Org2MSP)" })).rejects.toThrow(/at column 21/);
      await expect(deploy({ name: "assets", rollbackTo: 99 })).rejects.toThrow(/found 99/);
      await expect(deploy({ name: "other" })).rejects.toThrow(/expected a package for other/);
    });
  });

  describe.skipIf(missing)("a chaincode that has to be initialized", () => {
    const initArguments = ["ListAssets", "", ""];

    test("is initialized by its deployment", async () => {
      // Node's contract API takes no call without a function.
      await expect(deploy({ name: "ready", path: first, initRequired: true })).rejects.toMatchObject({
        code: "chaincode",
        hint: typedAs(expect.stringContaining("--init-args")),
      });
      expect(await committed("ready")).toMatchObject({ initRequired: true });
      expect(await deploy({ name: "ready", path: first, initArguments })).toContain("init");
      await invoke("ready", "peer0.org1", ["CreateAsset", "a1", "tom", "1"]);
      expect(await deploy({ name: "ready", path: first })).toEqual([]);
    });

    test("again by its upgrade, but not by another policy", async () => {
      expect(await deploy({ name: "ready", policy: "OR('Org1MSP.peer', 'Org2MSP.peer')" })).not.toContain("init");
      expect(await deploy({ name: "ready", path: second, initArguments })).toContain("init");
      expect(await query("ready", "peer0.org2", ["ReadAsset", "a1"])).toContain("tom");
    });

    test("calls Init with the given arguments", async () => {
      const request = {
        name: "given",
        path: first,
        initRequired: true,
        initArguments: ["CreateAsset", "i1", "eve", "7"],
      };
      expect(await deploy(request)).toContain("init");
      expect(await query("given", "peer0.org1", ["ReadAsset", "i1"])).toContain("eve");
    });
  });

  describe.skipIf(missing)("one organization alone", () => {
    test("approves, and is told who has to approve next and how", async () => {
      await expect(deploy({ name: "alone", path: first, organizations: ["org1"] })).rejects.toMatchObject({
        code: "not-ready",
        message: expect.stringMatching(/found those of Org1MSP; still to approve: Org2MSP/) as string,
        hint: typedAs(
          `the administrator of org2 types: kubectl fabric deploy-cc alone -C mychannel --path ${first} --org org2`,
        ),
      });
      expect(await committed("alone")).toBeUndefined();
    });

    test("is joined by the other, who commits", async () => {
      const steps = await deploy({ name: "alone", path: first, organizations: ["org2"] });
      expect(counted(steps)).toMatchObject({ approve: 1, commit: 1 });
      // Only org2's own peers were waited for.
      await expect
        .poll(() => unheard(() => committed("alone", "peer0.org1")), { timeout: 30_000 })
        .toMatchObject({ sequence: 1 });
      await expect
        .poll(() => unheard(() => committed("alone", "peer1.org1")), { timeout: 30_000 })
        .toMatchObject({ sequence: 1 });
      expect(await deploy({ name: "alone", path: first })).toEqual([]);
    });
  });

  describe.skipIf(missing)("organizations that want different things", () => {
    /** As Fabric 3 tells it. */
    const silent = column.line === "2.5" ? "Org2MSP" : "Org2MSP (has approved nothing)";
    const shared = async (): Promise<string> => {
      const file = join(work, "shared.json");
      await writeFile(file, JSON.stringify([{ name: "shared", policy: "OR('Org1MSP.member', 'Org2MSP.member')" }]));
      return file;
    };
    const approvedBy = async (host: string) => {
      const client = await reachGateway(network, node(host), signal);
      return approvedDefinition(client, channel, { name: "apart", sequence: 1 });
    };

    test("are told who has approved nothing", async () => {
      const collections = await shared();
      await expect(deploy({ name: "apart", path: first, organizations: ["org1"], collections })).rejects.toMatchObject({
        code: "not-ready",
        message: expect.stringMatching(`still to approve: ${escaped(silent)}$`),
      });
    });

    test("learn it before they approve, and how to go on", async () => {
      const ours = { name: "apart", path: first, organizations: ["org2"] };
      const command = `kubectl fabric deploy-cc apart -C mychannel --path ${first}`;
      await expect(deploy(ours)).rejects.toMatchObject({
        code: "conflict",
        message:
          "expected one definition of apart at sequence 1 on mychannel, found two: " +
          "org1 has approved collections shared instead of none",
        hint: typedAs(
          `with its terms: ${command} --collections FILE --org org2\n` +
            `      or first the administrator of org1 types: ${command} --org org1`,
        ),
      });
      expect(await approvedBy("peer0.org2")).toBeUndefined();
      const collections = await shared();
      expect(counted(await deploy({ ...ours, collections }))).toMatchObject({ approve: 1, commit: 1 });
    });
  });

  describe.skipIf(missing)("peers", () => {
    test("install it where they are chosen", async () => {
      const steps = await deploy({ name: "chosen", path: chosen, peers: ["peer0.org1", "peer0.org2"] });
      expect(counted(steps)).toMatchObject({ install: 2, approve: 2, commit: 1 });
      expect(counted(await deploy({ name: "chosen" }))).toMatchObject({ install: 1 });
    });

    test("that are down do not stop the others, and catch up", async () => {
      const [, down] = nodes.peers;
      await down?.process.kill();
      network.setReady("peer1.org1", false);
      await expect(deploy({ name: "late", path: late })).rejects.toMatchObject({
        code: "not-ready",
        message: expect.stringContaining("peer1.org1 is not ready") as string,
      });
      expect(await committed("late")).toMatchObject({ sequence: 1 });
      await down?.process.start();
      network.setReady("peer1.org1", true);
      const steps = await eventually("the late peer", async () =>
        deploy({ name: "late", path: late }).catch(() => undefined),
      );
      expect(steps).toContain("install");
      expect(await deploy({ name: "late", path: late })).toEqual([]);
    });

    /** What was tried again, for whoever looks at a red run. */
    const tried: string[] = [];

    /** A deployment in whose midst a peer goes, just as it begins to install; `waits` is done when the deployment says that it waits for it. */
    const deployWhileOneGoes = async (request: Omit<DeployRequest, "channel">, waits: () => Promise<void>) => {
      const plan = await deploySteps(network, { channel, ...request }, signal);
      const install = plan.find(({ id }) => id === "install/peer1.org1");
      const { act } = install ?? {};
      if (install && act) {
        let hasGone = false;
        // Others come after this very step: it is changed where it is.
        Object.assign(install, {
          act: async (context: StepContext) => {
            // It acts again when the peer is back.
            if (!hasGone) await nodes.peers[1]?.process.kill();
            if (!hasGone) network.setReady("peer1.org1", false);
            hasGone = true;
            return act(context);
          },
        });
      }
      let waited: Promise<void> | undefined;
      const onEvent = (event: StepEvent) => {
        if (event.type === "again") tried.push(`${event.step.title}: ${event.because}`);
        if (event.type === "progress" && event.text.startsWith("waits: ")) waited ??= waits();
      };
      try {
        return await runToEnd(plan, { signal, onEvent });
      } finally {
        await waited;
      }
    };
    const comesBack = async () => {
      await nodes.peers[1]?.process.start();
      network.setReady("peer1.org1", true);
    };

    test("that go in the midst, and come back, install, and their organization approves", async () => {
      const { outcomes } = await deployWhileOneGoes({ name: "midst", path: midst }, comesBack);
      expect(outcomes.get("install/peer1.org1")).toMatchObject({ result: "changed" });
      expect(outcomes.get("approve/org1")).toMatchObject({ result: "changed" });
      expect(await unheard(() => committed("midst"))).toMatchObject({ sequence: 1 });
      expect(await deploy({ name: "midst", path: midst })).toEqual([]);
    });

    test("that go for good in the midst do not stop the others, and catch up", async () => {
      const ended = deployWhileOneGoes({ name: "gone", path: gone, patience: 0 }, async () => {});
      const failure = await ended.then(
        () => undefined,
        (error: unknown) => error as FabricError,
      );
      expect({ code: failure?.code, message: failure?.message, tried }).toEqual({
        code: "not-ready",
        message: expect.stringContaining("peer1.org1 is not ready") as string,
        tried: expect.any(Array) as string[],
      });
      expect(await unheard(() => committed("gone"))).toMatchObject({ sequence: 1 });
      await comesBack();
      const steps = await eventually("the peer that was gone", async () =>
        deploy({ name: "gone", path: gone }).catch(() => undefined),
      );
      expect(steps).toContain("install");
    });
  });
});
