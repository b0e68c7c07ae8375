import { FabricError, messageOf } from "../error.ts";
import type { Remedy } from "../remedy.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { podReady } from "../kubernetes/conditions.ts";
import { get } from "../kubernetes/objects.ts";
import { explain } from "../kubernetes/wait.ts";
import { annotationKeys } from "../injection/annotations.ts";
import { podOf } from "../network/workload/node-steps.ts";
import { hostOf, nodesOf, type FabricNode } from "../network/resources/nodes.ts";
import { organizations, type FabricNetwork } from "../network/resources/spec.ts";
import { eachBounded } from "../engine/bounded.ts";
import { unknown, type Finding } from "./finding.ts";

/** Nodes that are examined at the same time. */
const connections = 8;

/**
 * Whether the nodes of a network run, and why not, with hints. Only nodes in the given namespaces, if there are any given. Throws only when
 * the cluster cannot be reached or the signal is aborted.
 */
export async function nodeFindings(
  cluster: Cluster,
  network: FabricNetwork,
  namespaces: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const about = `network ${network.metadata.name}`;
  const nodes = organizations(network)
    .filter(({ namespace }) => namespaces?.includes(namespace) ?? true)
    .flatMap(nodesOf);
  const found = await eachBounded(nodes, connections, (node) => nodeFinding(cluster, about, node, signal));
  const wrong = found.filter((finding) => finding !== undefined);
  const well = nodes.length - wrong.length;
  return well === 0 ? wrong : [{ level: "ok", about, text: `${well} of ${nodes.length} nodes are ready` }, ...wrong];
}

/** Undefined when the node is ready. */
async function nodeFinding(
  cluster: Cluster,
  about: string,
  node: FabricNode,
  signal: AbortSignal,
): Promise<Finding | undefined> {
  const { name, organization } = node;
  const { namespace } = organization;
  const host = hostOf(node);
  const problem = (text: string, hint: Remedy): Finding => ({ level: "problem", about, text: `${host} ${text}`, hint });
  try {
    const verdict = podReady(await get(cluster, podOf(node), signal));
    if (verdict.so === true) return undefined;
    const ref = { kind: "StatefulSet", namespace, name } as const;
    const set = await get(cluster, ref, signal);
    if (set === undefined) return problem("is not there", [{ operation: "init" }, " makes what is missing"]);
    if (set.spec?.replicas === 0) {
      return problem("is scaled to 0", {
        kubectl: ["-n", namespace, "scale", "statefulset", name, "--replicas=1"],
      });
    }
    const why = await explain(cluster, ref, signal);
    const text = why?.text ?? (verdict.so === "never" ? verdict.because : verdict.progress);
    if (node.component === "peer" && set.spec?.template.metadata?.annotations?.[annotationKeys.inject] !== "true") {
      const ejected = `is not ready: it was ejected, and has no daemon any more: ${text}`;
      return problem(ejected, [{ operation: "init" }, " gives it back"]);
    }
    if (why?.missingClaim !== undefined) {
      return problem(`is not ready: ${text}`, [{ operation: "init" }, " makes what is missing"]);
    }
    return problem(
      `is not ready: ${text}`,
      why?.hint ?? { kubectl: ["-n", namespace, "describe", "pod", `${name}-0`] },
    );
  } catch (error) {
    if (signal.aborted || !(error instanceof FabricError) || error.code === "cluster-unreachable") throw error;
    return unknown(about, host, messageOf(error));
  }
}
