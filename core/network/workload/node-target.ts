import type { ForwardTarget } from "../../kubernetes/port-forward.ts";
import { nodeSelector } from "../resources/labels.ts";
import { hostOf, type FabricNode } from "../resources/nodes.ts";
import type { Remedy } from "../../remedy.ts";

/** What to do where a node's Pod does not run: one that is not there may be scaled to 0, and waiting brings nothing. */
export const podRemedy = (isThere: boolean): Remedy =>
  isThere
    ? [{ operation: "doctor" }, " tells why; once it runs, type the same command again"]
    : [{ operation: "init" }, " brings back what is gone or scaled to 0; then type the same command again"];

/** A port of a node's running Pod, as the target of a forward. */
export function nodeTarget(node: FabricNode, port: number): Extract<ForwardTarget, { readonly labels: unknown }> {
  const { namespace } = node.organization;
  return { namespace, labels: nodeSelector(node), port, called: hostOf(node), remedy: podRemedy };
}
