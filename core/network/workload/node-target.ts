import type { ForwardTarget } from "../../kubernetes/port-forward.ts";
import { nodeSelector } from "../resources/labels.ts";
import { hostOf, type FabricNode } from "../resources/nodes.ts";

/** The hint when a node's Pod does not run. A missing Pod may be scaled to 0: then waiting does not help. */
export const podRemedy = (isThere: boolean): string =>
  isThere
    ? "kubectl fabric doctor tells why; once it runs, type the same command again"
    : "kubectl fabric init brings back what is gone or scaled to 0; then type the same command again";

/** A port of a node's running Pod, as the target of a forward. */
export function nodeTarget(node: FabricNode, port: number): Extract<ForwardTarget, { readonly labels: unknown }> {
  const { namespace } = node.organization;
  return { namespace, labels: nodeSelector(node), port, called: hostOf(node), remedy: podRemedy };
}
