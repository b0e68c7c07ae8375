import type { V1Pod } from "../kube/client-node.ts";
import { podReady } from "../kube/conditions.ts";
import { list } from "../kube/objects.ts";
import { nodeSelector } from "./labels.ts";
import type { OpenNetwork } from "./open-network.ts";
import type { FabricNode } from "./spec.ts";

/** Why a node's Pod is not ready; undefined when it is. */
export async function podProblem(
  network: OpenNetwork,
  node: FabricNode,
  signal: AbortSignal,
): Promise<string | undefined> {
  return problemOf(await nodePod(network, node, signal));
}

/** The Pod of a node that is not on its way out. */
export async function nodePod(
  { cluster }: OpenNetwork,
  node: FabricNode,
  signal: AbortSignal,
): Promise<V1Pod | undefined> {
  const { namespace } = node.organization;
  const pods = await list(cluster, { kind: "Pod", namespace, labels: nodeSelector(node) }, signal);
  return pods.find(({ metadata }) => !metadata?.deletionTimestamp);
}

export function problemOf(pod: V1Pod | undefined): string | undefined {
  const verdict = podReady(pod);
  if (verdict.so === true) return undefined;
  return verdict.so === "never" ? verdict.because : verdict.progress;
}
