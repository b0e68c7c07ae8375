import { podReady } from "../kube/conditions.ts";
import { list } from "../kube/objects.ts";
import { nodeSelector } from "./labels.ts";
import type { OpenNetwork } from "./open-network.ts";
import type { FabricNode } from "./spec.ts";

/** Why a node's Pod is not ready; undefined when it is. */
export async function podProblem(
  { cluster }: OpenNetwork,
  node: FabricNode,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { namespace } = node.organization;
  const pods = await list(cluster, { kind: "Pod", namespace, labels: nodeSelector(node) }, signal);
  const verdict = podReady(pods.find(({ metadata }) => !metadata?.deletionTimestamp));
  if (verdict.so === true) return undefined;
  return verdict.so === "never" ? verdict.because : verdict.progress;
}
