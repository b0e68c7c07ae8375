import { documentationOf } from "../annotations.ts";
import { fieldsOf, itemsOf, ownerOf } from "./pod-template.ts";

/**
 * Custom resources of Fabric operators that stand for a peer, by the group of their API. They have no Pod template: the operator writes
 * the Deployment. Annotations that somebody puts on that one's template stay: fabric-operator writes over what is there
 * (pkg/manager/resources/deployment), and bevel-operator-fabric upgrades a Helm release.
 */
const peerResources: Readonly<Record<string, string>> = {
  "hlf.kungfusoftware.es/FabricPeer": "bevel-operator-fabric",
  "ibp.com/IBPPeer": "fabric-operator",
};

/** Notices about peers that others make of a custom resource: nothing can be injected there. */
export function operatorNotices(object: unknown): readonly string[] {
  const items = itemsOf(object);
  if (items !== undefined) return items.flatMap(operatorNotices);
  const { apiVersion, kind } = fieldsOf(object);
  const operator = peerResources[`${String(apiVersion).split("/")[0]}/${String(kind)}`];
  if (operator === undefined) return [];
  return [
    `${ownerOf(object)}: nothing can be injected here, for ${operator} writes the Deployment: annotate the Pod template of that one, for the webhook (${documentationOf("peers of operators")})`,
  ];
}
