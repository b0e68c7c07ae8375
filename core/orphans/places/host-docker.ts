import { randomBytes } from "node:crypto";
import { FabricError } from "../../error.ts";
import { answers } from "../../docker/answers.ts";
import { newEngine, type Engine } from "../../docker/engine.ts";
import { isConflict } from "../../kubernetes/api-error.ts";
import type { V1Pod } from "../../kubernetes/client-node.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { podReady } from "../../kubernetes/conditions.ts";
import { create, list, listPages, remove } from "../../kubernetes/objects.ts";
import { waitFor } from "../../kubernetes/wait.ts";
import type { DaemonUser } from "./daemon-contents.ts";
import { lookIntoDaemon } from "./daemon-look.ts";
import { removeFromDaemon } from "./daemon-removal.ts";
import type { FactsReader } from "../judgement/facts.ts";
import type { Finding } from "../judgement/finding.ts";
import type { PeerFacts } from "../judgement/judgement.ts";
import { mountedSocket, nodePod, nodePodContainer, nodePodLabels, runLabel, type NodeAccess } from "./node-pod.ts";
import type { PeerPod } from "../peers/peer-pod.ts";
import type { Place } from "./place.ts";

export interface HostDockerContext {
  readonly cluster: Cluster;
  /** The same cluster, by a connection that Ctrl-C does not end: to remove our Pods then, too. */
  readonly lasting: Cluster;
  readonly access: NodeAccess;
  readonly peers: readonly PeerPod[];
  readonly everywhere: boolean;
  readonly facts: FactsReader;
  readonly gonePeers: readonly string[];
}

/** The Docker of every node, reached through a Pod on each, until `close`. */
export interface HostDocker {
  readonly places: readonly Place[];
  /** Removes the Pods, and those of an earlier run that was killed. */
  close(): Promise<void>;
}

/**
 * Milliseconds for a node to start the Pod, whose image it may have to pull. A node that is down never starts it, and reports nothing:
 * it becomes a blindness, and the other nodes are still looked at.
 */
const started = 120_000;

export async function hostDocker(context: HostDockerContext, signal: AbortSignal): Promise<HostDocker> {
  const { cluster } = context;
  const run = randomBytes(6).toString("hex");
  const nodes = await linuxNodes(cluster, signal);
  const engines = new Map<string, Promise<Engine>>();
  const engineOf = (node: string): Promise<Engine> => {
    const engine = engines.get(node) ?? openNode(context, node, run, signal);
    engines.set(node, engine);
    return engine;
  };
  return {
    places: nodes.map((node) => ({
      source: "host-docker",
      name: `node ${node}`,
      async look(age, looking) {
        const users = () => usersOf(context, node, looking);
        const place = { source: "host-docker", place: `node ${node}`, users, own: false } as const;
        return orNothing(lookIntoDaemon(await engineOf(node), place, age, looking));
      },
      remove: async (finding, age, removing) => removeFromDaemon(await engineOf(node), finding, age, removing),
    })),
    async close() {
      const opened = await Promise.allSettled(engines.values());
      for (const one of opened) if (one.status === "fulfilled") one.value.close();
      await removePods(context, run);
    },
  };
}

async function linuxNodes(cluster: Cluster, signal: AbortSignal): Promise<readonly string[]> {
  const names: string[] = [];
  const selection = { kind: "Node", labels: "kubernetes.io/os!=windows" } as const;
  for await (const { items } of listPages(cluster, selection, { signal })) {
    names.push(...items.flatMap(({ metadata }) => metadata?.name ?? []));
  }
  return names;
}

async function openNode(
  { cluster, access }: HostDockerContext,
  node: string,
  run: string,
  signal: AbortSignal,
): Promise<Engine> {
  const pod: V1Pod = await create(cluster, nodePod(access, node, run), { signal });
  const { namespace } = access;
  const name = pod.metadata?.name ?? "";
  await waitFor(cluster, { kind: "Pod", namespace, name }, podReady, { signal, timeout: started });
  const host = mountedSocket(access.socket);
  return newEngine(cluster, { namespace, pod: name, container: nodePodContainer, host }, signal);
}

/** The findings of a node; none when the node has no Docker, as most nodes have none. */
async function orNothing(look: Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await look;
  } catch (error) {
    if (error instanceof FabricError && answers.noDaemon.text.test(error.message)) {
      return [];
    }
    throw error;
  }
}

/** A conflict is no failure: another Pod has the name by now, so ours is gone. */
function unlessAnother(error: unknown): void {
  if (!isConflict(error)) throw error;
}

/** Removes the Pods of this run, and those that the kubelet has ended after their deadline. */
async function removePods({ lasting, access: { namespace } }: HostDockerContext, run: string): Promise<void> {
  const pods = await list(lasting, { kind: "Pod", namespace, labels: nodePodLabels });
  const over = pods.filter(
    ({ metadata, status }) => metadata?.labels?.[runLabel] === run || status?.phase === "Failed",
  );
  await Promise.all(
    over.map(({ metadata }) => {
      const ref = { kind: "Pod", namespace, name: metadata?.name ?? "" };
      return remove(lasting, ref, { uid: metadata?.uid, gracePeriodSeconds: 0 }).catch(unlessAnother);
    }),
  );
}

async function usersOf(
  { peers, everywhere, facts, gonePeers }: HostDockerContext,
  node: string,
  signal: AbortSignal,
): Promise<readonly DaemonUser[]> {
  const seen = await Promise.all(
    peers.map(async (peer) => nodeUser(peer, node, everywhere, await facts.of(peer, signal))),
  );
  const gone = gonePeers.map((name) => goneUser(name, peers));
  return [...seen, ...gone].filter((user) => user !== undefined);
}

/**
 * A peer as a user of a node's Docker. It needs nothing there when it has a daemon of its own now, or runs on another node; unless we
 * cannot see all namespaces, where a peer may have the same IDs. Undefined when its IDs are unknown. Pure.
 */
export function nodeUser(peer: PeerPod, node: string, everywhere: boolean, facts: PeerFacts): DaemonUser | undefined {
  const { name, owner, running, docker, nodeName } = peer;
  if (!owner) return undefined;
  if (!running || docker === "other") return { name, owner, facts };
  const elsewhere =
    docker === "sidecar"
      ? `${name} has a Docker daemon of its own now`
      : nodeName !== node
        ? `${name} runs on node ${nodeName} now`
        : undefined;
  if (elsewhere === undefined || everywhere) return { name, owner, facts, elsewhere };
  return {
    name,
    owner,
    facts: {
      known: false,
      code: "forbidden",
      because: "peers in namespaces that you may not read may be called the same",
    },
  };
}

/** A gone peer as a user: "network/peer", or a peer of the network "dev". Undefined when it has a Pod. */
function goneUser(told: string, peers: readonly PeerPod[]): DaemonUser | undefined {
  const [peerId = "", networkId = "dev"] = told.split("/").toReversed();
  if (peers.some(({ owner }) => owner?.peerId === peerId && owner.networkId === networkId)) return undefined;
  const because = `peer ${told} is gone, as --gone-peer says`;
  return {
    name: told,
    owner: { networkId, peerId },
    facts: { known: false, code: "not-found", because },
    elsewhere: because,
  };
}
