import type { ForwardTarget } from "../kube/port-forward.ts";
import { nodeSelector } from "./labels.ts";
import { hostOf, type FabricNode } from "./spec.ts";

/** A port of whichever Pod of a node runs. */
export function nodeTarget(node: FabricNode, port: number): Extract<ForwardTarget, { readonly labels: unknown }> {
  return { namespace: node.organization.namespace, labels: nodeSelector(node), port, called: hostOf(node) };
}
