import type { V1StatefulSet } from "../../kubernetes/client-node.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { get, type ObjectRef } from "../../kubernetes/objects.ts";
import { annotationKeys } from "../../injection/annotations.ts";
import { hasLabels, managedBy } from "../../kubernetes/ownership.ts";
import { networkLabel } from "../resources/labels.ts";

export interface OwnPeer {
  /** "peer0.org1" */
  readonly host: string;
  readonly network: string;
}

/** Of some workloads, the peers that `init` made and that still ask for injection. */
export async function ownPeers(
  cluster: Cluster,
  refs: readonly ObjectRef[],
  signal: AbortSignal,
): Promise<readonly OwnPeer[]> {
  const sets = refs.filter(({ kind }) => kind === "StatefulSet");
  const found = await Promise.all(sets.map((ref) => get(cluster, { ...ref, kind: "StatefulSet" }, signal)));
  return found.flatMap((set) => ownPeer(set) ?? []);
}

function ownPeer(set: V1StatefulSet | undefined): OwnPeer | undefined {
  const { labels = {}, name = "", namespace = "" } = set?.metadata ?? {};
  const network = labels[networkLabel];
  const hasDaemon = set?.spec?.template.metadata?.annotations?.[annotationKeys.inject] === "true";
  return network !== undefined && hasLabels(set, managedBy) && hasDaemon
    ? { host: `${name}.${namespace}`, network }
    : undefined;
}
