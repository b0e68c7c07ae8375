import { describe, expect, test } from "vitest";
import { AbsentPeer } from "../../../../../core/chaincode/deployment/late-peer.ts";
import { peerStep, speaker, type PeerWork } from "../../../../../core/chaincode/lifecycle/peer-step.ts";
import { FabricError, LostConnection } from "../../../../../core/error.ts";
import type { ApiRequest, Cluster } from "../../../../../core/kubernetes/cluster.ts";
import type { OpenNetwork } from "../../../../../core/network/session/open-network.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import { hostOf, nodesOf, type FabricNode } from "../../../../../core/network/resources/nodes.ts";
import type { PeerOrganization } from "../../../../../core/network/resources/spec.ts";
import type { StepEvent } from "../../../../../core/engine/report.ts";
import { runToEnd } from "../../../../run-to-end.ts";
import type { Step } from "../../../../../core/engine/step.ts";
import { typedAs } from "../../../../typed-as.ts";

const { signal } = new AbortController();
const definition = networkFor({ peerOrganizations: ["org1"], peers: 2 });
const [organization] = definition.spec.peerOrganizations as [PeerOrganization];
const [peer0, peer1] = nodesOf(organization) as [FabricNode, FabricNode];

interface Pod {
  uid: string;
  ready: boolean;
  /** Containers started so far. */
  started?: number;
}

/** The Pods of org1's two peers; undefined while there is none. */
function pods() {
  const all: Record<string, Pod | undefined> = { peer0: { uid: "a", ready: true }, peer1: { uid: "b", ready: true } };
  const call = async ({ query }: ApiRequest): Promise<unknown> => {
    const name = /=(peer[01])/.exec(String(query?.["labelSelector"]))?.[1] ?? "";
    const pod = all[name];
    if (!pod) return { items: [] };
    const conditions = [{ type: "Ready", status: pod.ready ? "True" : "False" }];
    const containerStatuses = [{ name: "peer", containerID: `containerd://${pod.started ?? 1}` }];
    return {
      items: [
        { metadata: { name: `${name}-0`, uid: pod.uid }, status: { phase: "Running", conditions, containerStatuses } },
      ],
    };
  };
  const network = { definition, cluster: { call } as unknown as Cluster } as unknown as OpenNetwork;
  return { all, network };
}

const lost = () => new LostConnection("Connection dropped");

/** Work that fails as told, one time after the other, and then is done. */
function work(...failures: readonly (() => FabricError)[]) {
  const log: string[] = [];
  let done = false;
  const left = [...failures];
  const at = (node: FabricNode): PeerWork => ({
    async observe() {
      log.push(`look at ${hostOf(node)}`);
      return done ? { is: "so" } : { is: "differs" };
    },
    async act() {
      log.push(`act at ${hostOf(node)}`);
      const failure = left.shift()?.();
      if (failure) throw failure;
      done = true;
    },
  });
  return { log, at, finish: () => (done = true) };
}

const own = (network: OpenNetwork, at: (node: FabricNode) => PeerWork, patience?: number) =>
  peerStep(network, { id: "a", title: "a", after: [], peer: () => Promise.resolve(peer0), at, podPatience: patience });

async function run(...steps: readonly Step[]) {
  const events: StepEvent[] = [];
  const report = runToEnd(steps, { onEvent: (event) => events.push(event) });
  const end = await report.then(
    ({ outcomes }) => Object.fromEntries([...outcomes].map(([id, { result }]) => [id, result])),
    (error: unknown) => error,
  );
  return { end, events };
}

describe("a step at a peer", () => {
  test("whose Pod is replaced while it acts is looked at again when the Pod is back, and acts again", async () => {
    const { all, network } = pods();
    const { log, at } = work(() => {
      all["peer0"] = undefined;
      setTimeout(() => (all["peer0"] = { uid: "c", ready: false }), 20);
      setTimeout(() => (all["peer0"] = { uid: "c", ready: true }), 40);
      return new FabricError("connection", "No connection established");
    });
    const { end, events } = await run(own(network, at));
    expect(end).toEqual({ a: "changed" });
    expect(log).toEqual(["look at peer0.org1", "act at peer0.org1", "look at peer0.org1", "act at peer0.org1"]);
    expect(events).toContainEqual(
      expect.objectContaining({ type: "again", because: "peer0.org1 is not ready (no Pod yet)" }),
    );
  });

  test("that was done before its Pod went is not done again", async () => {
    const { all, network } = pods();
    const { log, at, finish } = work(() => {
      all["peer0"] = { uid: "c", ready: true };
      finish();
      return lost();
    });
    expect((await run(own(network, at))).end).toEqual({ a: "changed" });
    expect(log).toEqual(["look at peer0.org1", "act at peer0.org1", "look at peer0.org1"]);
  });

  test.each<[string, (all: Record<string, Pod | undefined>) => void]>([
    ["the Pod is another", (all) => (all["peer0"] = { uid: "c", ready: true })],
    ["a container of it has been started again", (all) => (all["peer0"] = { uid: "a", ready: true, started: 2 })],
  ])("does not take for a failure what went wrong because %s, whatever it says", async (_, change) => {
    const { all, network } = pods();
    const { at } = work(() => {
      change(all);
      return new FabricError("rejected", "docker build failed: unexpected EOF");
    });
    expect((await run(own(network, at))).end).toEqual({ a: "changed" });
  });

  test("fails at once where its Pod is what it was", async () => {
    const { network } = pods();
    const { log, at } = work(() => new FabricError("rejected", "docker build failed"));
    expect((await run(own(network, at))).end).toMatchObject({ code: "rejected", message: "docker build failed" });
    expect(log).toEqual(["look at peer0.org1", "act at peer0.org1"]);
  });

  test("is looked at again when a peer that it takes something from is away", async () => {
    const { all, network } = pods();
    const { log, at } = work(() => {
      all["peer1"] = undefined;
      return new FabricError("not-found", "no such Pod");
    });
    const step = peerStep(network, {
      id: "a",
      title: "a",
      after: [],
      peer: () => Promise.resolve(peer0),
      at,
      beside: [peer1],
    });
    const { end, events } = await run(step);
    expect(end).toEqual({ a: "changed" });
    expect(log).toHaveLength(4);
    expect(events).toContainEqual(
      expect.objectContaining({ type: "again", because: "peer1.org1 is not ready (no Pod yet)" }),
    );
  });

  test("waits for the connections of a new Pod", async () => {
    const { all, network } = pods();
    const refused = () => new FabricError("connection", "No connection established");
    const { at } = work(
      () => {
        all["peer0"] = { uid: "c", ready: true };
        return lost();
      },
      refused,
      refused,
    );
    expect((await run(own(network, at))).end).toEqual({ a: "changed" });
  });

  test("whose Pod does not come back is absent", async () => {
    const { all, network } = pods();
    const { at } = work(() => {
      all["peer0"] = undefined;
      return lost();
    });
    const { end } = await run(own(network, at, 0));
    expect(end).toBeInstanceOf(AbsentPeer);
    expect(end).toMatchObject({
      code: "not-ready",
      message: "peer0.org1 is not ready: no Pod yet",
      hint: typedAs(expect.stringContaining("type the same command again")),
    });
  });

  test("whose Pod does not come back is absent, also where it would be patient with its peer", async () => {
    const { all, network } = pods();
    const { log, at } = work(() => {
      all["peer0"] = undefined;
      return new FabricError("not-ready", "no running Pod");
    });
    const patient: Step = { ...own(network, at, 0), patience: { with: ["not-ready"] } };
    expect((await run(patient)).end).toBeInstanceOf(AbsentPeer);
    expect(log).toEqual(["look at peer0.org1", "act at peer0.org1"]);
  });

  test("does not go on for ever with a Pod that is replaced again and again", async () => {
    const { all, network } = pods();
    let replaced = 0;
    const crash = () => {
      all["peer0"] = { uid: `again ${replaced++}`, ready: true };
      return new FabricError("rejected", `crash ${replaced}`);
    };
    const { at } = work(...Array.from({ length: 20 }, () => crash));
    expect((await run(own(network, at))).end).toMatchObject({ code: "rejected", message: "crash 6" });
  });
});

describe("who speaks for an organization", () => {
  const target = { organization, peers: [peer0, peer1], gateway: peer0 };

  test("is the peer that was chosen, while it is ready", async () => {
    const { network } = pods();
    expect(hostOf(await speaker(network, target, signal))).toBe("peer0.org1");
  });

  test("is another one as soon as it is not: the work goes on there at once", async () => {
    const { all, network } = pods();
    const { log, at } = work(() => {
      all["peer0"] = undefined;
      return lost();
    });
    const step = peerStep(network, {
      id: "a",
      title: "a",
      after: [],
      peer: (now) => speaker(network, target, now),
      at,
    });
    expect((await run(step)).end).toEqual({ a: "changed" });
    expect(log).toEqual(["look at peer0.org1", "act at peer0.org1", "look at peer1.org1", "act at peer1.org1"]);
  });

  test("is the chosen one, too, when none is ready", async () => {
    const { all, network } = pods();
    all["peer0"] = all["peer1"] = undefined;
    expect(hostOf(await speaker(network, target, signal))).toBe("peer0.org1");
  });
});
