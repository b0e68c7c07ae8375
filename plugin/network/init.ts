import type { Cluster } from "../kube/cluster.ts";
import type { Step } from "../steps/step.ts";
import { identityStepId, identitySteps, type Clock } from "./identity-steps.ts";
import { namespaceStep } from "./namespace-step.ts";
import { appliedStep, readyStep } from "./object-steps.ts";
import { ordererObjects } from "./orderer.ts";
import { peerObjects } from "./peer.ts";
import { hostOf, nodesOf, organizations, type FabricNetwork, type FabricNode, type Organization } from "./spec.ts";
import { webhookReadyStep } from "./webhook.ts";

/** A running network without channels: organizations side by side, each from namespace to ready Pods. */
export function initSteps(cluster: Cluster, network: FabricNetwork, now: Clock = () => new Date()): readonly Step[] {
  const webhook = webhookReadyStep(cluster);
  return [
    webhook,
    ...organizations(network).flatMap((organization) =>
      organizationSteps(cluster, network, organization, webhook.id, now),
    ),
  ];
}

function organizationSteps(
  cluster: Cluster,
  network: FabricNetwork,
  organization: Organization,
  webhook: string,
  now: Clock,
): readonly Step[] {
  const { name } = organization;
  const namespace = `${name}/namespace`;
  return [
    namespaceStep(cluster, network, organization, {
      id: namespace,
      title: `${name}: namespace ${organization.namespace}`,
      after: [webhook],
    }),
    ...identitySteps(cluster, network, organization, namespace, now),
    ...nodesOf(organization).flatMap((node) => nodeSteps(cluster, network, node)),
  ];
}

function nodeSteps(cluster: Cluster, network: FabricNetwork, node: FabricNode): readonly Step[] {
  const { organization, name, component } = node;
  const workload = `${organization.name}/${name}`;
  return [
    appliedStep(cluster, {
      id: workload,
      title: `${organization.name}: ${component} ${name}`,
      after: [identityStepId(organization, name)],
      objects: component === "orderer" ? ordererObjects(network, node) : peerObjects(network, node),
    }),
    readyStep(cluster, {
      id: `${workload}/ready`,
      title: `${hostOf(node)} is ready`,
      after: [workload],
      ref: { kind: "StatefulSet", namespace: organization.namespace, name },
    }),
  ];
}
