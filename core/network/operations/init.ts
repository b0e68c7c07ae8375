import type { Cluster } from "../../kubernetes/cluster.ts";
import type { Step } from "../../engine/step.ts";
import { identitySteps, type Clock } from "../identity/identity-steps.ts";
import { imagesStep } from "../workload/image-check.ts";
import { keysStep } from "../identity/key-check.ts";
import { namespaceStep } from "../workload/namespace-step.ts";
import { nodeSteps, type CaughtUp } from "../workload/node-steps.ts";
import { safeguardsStep } from "../workload/safeguards.ts";
import { nodesOf } from "../resources/nodes.ts";
import { organizations, type FabricNetwork, type Organization } from "../resources/spec.ts";
import { storageClassStep } from "../workload/storage-class.ts";
import { webhookReadyStep } from "../../installation/webhook.ts";

/**
 * A running network without channels: organizations side by side, each from namespace to ready Pods.
 * Nodes that run already are changed one at a time.
 */
export function initSteps(
  cluster: Cluster,
  network: FabricNetwork,
  caughtUp: CaughtUp,
  now: Clock = () => new Date(),
): readonly Step[] {
  const webhook = webhookReadyStep(cluster);
  const keys = keysStep(cluster, network, webhook);
  const { className } = network.spec.storage;
  const storage = className ? [storageClassStep(cluster, network, className, keys)] : [];
  const images = imagesStep(cluster, network, storage[0] ?? keys);
  return [
    webhook,
    keys,
    ...storage,
    images,
    ...organizations(network).flatMap((organization) =>
      organizationSteps({ cluster, network, caughtUp, now }, organization, images),
    ),
  ];
}

interface Bootstrap {
  readonly cluster: Cluster;
  readonly network: FabricNetwork;
  readonly caughtUp: CaughtUp;
  readonly now: Clock;
}

function organizationSteps(
  { cluster, network, caughtUp, now }: Bootstrap,
  organization: Organization,
  after: Step,
): readonly Step[] {
  const { name } = organization;
  const namespace = namespaceStep(cluster, network, organization, {
    id: `${name}/namespace`,
    title: `${name}: namespace ${organization.namespace}`,
    after: [after],
  });
  const identities = identitySteps(cluster, network, organization, namespace, now);
  return [
    namespace,
    safeguardsStep(cluster, network, organization, namespace),
    ...identities.steps,
    ...nodesOf(organization).flatMap((node) => nodeSteps(cluster, network, node, caughtUp, identities.of(node))),
  ];
}
