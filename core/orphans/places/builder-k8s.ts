import type { KubernetesObject, V1Job, V1Pod, V1Secret } from "../../kubernetes/client-node.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { listPages, remove } from "../../kubernetes/objects.ts";
import type { FactsReader } from "../judgement/facts.ts";
import type { Finding, Judgement } from "../judgement/finding.ts";
import { agreed, judgeLeftover, judgePackage, type AgeLimit, type PeerFacts } from "../judgement/judgement.ts";
import type { PeerPod } from "../peers/peer-pod.ts";
import type { Place } from "./place.ts";

/** Label and annotations of all objects of hyperledgendary/fabric-builder-k8s (internal/util/k8s.go). */
const selector = { "app.kubernetes.io/created-by": "fabric-builder-k8s" } as const;
const annotations = {
  packageId: "fabric-builder-k8s-ccid",
  mspId: "fabric-builder-k8s-mspid",
  peerId: "fabric-builder-k8s-peerid",
} as const;

const kinds = ["Job", "Pod", "Secret"] as const;

export interface BuilderContext {
  readonly cluster: Cluster;
  readonly peers: readonly PeerPod[];
  readonly facts: FactsReader;
  /** CORE_PEER_IDs of peers that, says the user, are gone for good; some with "network/" before. */
  readonly gonePeers: readonly string[];
}

/** Jobs, Pods and Secrets of the Kubernetes builder. The builder does not remove them when a definition changes. */
export function builderPlace(context: BuilderContext, namespace: string | undefined): Place {
  const { cluster } = context;
  return {
    source: "builder-k8s",
    name: namespace === undefined ? "all namespaces" : `namespace ${namespace}`,
    async look(age, signal) {
      const findings: Finding[] = [];
      for (const kind of kinds) {
        for await (const { items } of listPages(cluster, { kind, namespace, labels: selector }, { signal })) {
          for (const object of items) {
            // A Job's Pod is deleted with the Job.
            if (kind === "Pod" && object.metadata?.ownerReferences?.length) continue;
            findings.push(await judgeObject(context, kind, object, age, signal));
          }
        }
      }
      return findings;
    },
    remove: ({ kind, name, place, id }, _age, signal) =>
      remove(cluster, { kind, namespace: place.replace(/^namespace /, ""), name }, { uid: id, signal }),
  };
}

async function judgeObject(
  context: BuilderContext,
  kind: (typeof kinds)[number],
  object: V1Job | V1Pod | V1Secret,
  age: AgeLimit,
  signal: AbortSignal,
): Promise<Finding> {
  const made = madeFor(object);
  const candidates = context.peers.filter(({ owner, mspId }) => owner?.peerId === made.peerId && mspId === made.mspId);
  const facts = await Promise.all(candidates.map((peer) => context.facts.of(peer, signal)));
  const since = object.metadata?.creationTimestamp;
  return {
    source: "builder-k8s",
    kind,
    place: `namespace ${object.metadata?.namespace}`,
    name: object.metadata?.name ?? "",
    id: object.metadata?.uid,
    since,
    peer: candidates[0]?.name,
    packageId: made.packageId,
    ...judgeMade(made, facts, context.gonePeers, since, age),
  };
}

/** The package and the peer that an object was made for, by the builder's annotations. */
interface Made {
  readonly packageId?: string | undefined;
  readonly mspId?: string | undefined;
  readonly peerId?: string | undefined;
}

function madeFor({ metadata }: KubernetesObject): Made {
  const said = metadata?.annotations ?? {};
  return {
    packageId: said[annotations.packageId],
    mspId: said[annotations.mspId],
    peerId: said[annotations.peerId],
  };
}

/** Judges an object by the facts of all peers of its MSP and peer ID: several peers may have the same. Pure. */
export function judgeMade(
  { packageId, mspId, peerId }: Made,
  facts: readonly PeerFacts[],
  gonePeers: readonly string[],
  since: Date | undefined,
  age: AgeLimit,
): Judgement {
  if (!packageId || !mspId || !peerId) {
    return { verdict: "kept", because: "its annotations do not say for which package and peer it was made" };
  }
  if (facts.length === 0 && gonePeers.some((gone) => gone.split("/").at(-1) === peerId)) {
    return judgeLeftover(`peer ${peerId} is gone, as --gone-peer says`, since, age);
  }
  const nobody = `no Pod seen here is peer ${peerId} of ${mspId}: it may run elsewhere`;
  return agreed(
    facts.map((known) => judgePackage(packageId, known, since, age)),
    nobody,
  );
}
