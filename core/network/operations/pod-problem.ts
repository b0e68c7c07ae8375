import type { V1Pod } from "../../kubernetes/client-node.ts";
import { podReady } from "../../kubernetes/conditions.ts";
import { list } from "../../kubernetes/objects.ts";
import { nodeSelector } from "../resources/labels.ts";
import type { OpenNetwork } from "../session/open-network.ts";
import type { FabricNode } from "../resources/nodes.ts";

/** A node's Pod at one moment. */
export interface PodLook {
  /** Why it is not ready; undefined when it is. */
  readonly problem: string | undefined;
  /** Changes when the Pod is replaced, or one of its containers starts again. */
  readonly incarnation: string;
  /** The image of the node's own container, which may not be the wanted one; undefined without a Pod. */
  readonly image: string | undefined;
}

/** Why a node's Pod is not ready; undefined when it is. */
export async function podProblem(
  network: OpenNetwork,
  node: FabricNode,
  signal: AbortSignal,
): Promise<string | undefined> {
  return (await lookAtPod(network, node, signal)).problem;
}

export async function lookAtPod({ cluster }: OpenNetwork, node: FabricNode, signal: AbortSignal): Promise<PodLook> {
  const { namespace } = node.organization;
  const pods = await list(cluster, { kind: "Pod", namespace, labels: nodeSelector(node) }, signal);
  const pod = pods.find(({ metadata }) => !metadata?.deletionTimestamp);
  const verdict = podReady(pod);
  const problem = verdict.so === true ? undefined : verdict.so === "never" ? verdict.because : verdict.progress;
  const image = pod?.spec?.containers.find(({ name }) => name === node.component)?.image;
  return { problem, incarnation: incarnationOf(pod), image };
}

function incarnationOf(pod: V1Pod | undefined): string {
  const { initContainerStatuses = [], containerStatuses = [] } = pod?.status ?? {};
  const containers = [...initContainerStatuses, ...containerStatuses].map(({ name, containerID }) => [
    name,
    containerID,
  ]);
  return JSON.stringify([pod?.metadata?.uid, containers]);
}
