import { FabricError } from "../../error.ts";
import type { V1Deployment } from "../../kubernetes/client-node.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { rolledOut } from "../../kubernetes/conditions.ts";
import { list } from "../../kubernetes/objects.ts";
import { explain } from "../../kubernetes/wait.ts";
import { managedBy } from "../../kubernetes/ownership.ts";
import type { FabricNode } from "../../network/resources/nodes.ts";
import type { PeerOrganization } from "../../network/resources/spec.ts";
import { packageAnnotation, serviceOfLabels } from "./service-name.ts";

/** A Deployment that runs a chaincode as a service, as it is now. */
export interface RunningService {
  readonly namespace: string;
  /** Of the Deployment. */
  readonly name: string;
  readonly packageId: string;
  readonly image: string;
  /** The only peer that dials it, as "peer0"; undefined where all of the organization do. */
  readonly peer?: string | undefined;
  readonly ready: boolean;
  /** "1 of 1 Pods ready", or why not. */
  readonly status: string;
  /** What its Pods are labelled with. */
  readonly selector: Readonly<Record<string, string>>;
}

/** All services of an organization's chaincodes; undefined where the user may not look. */
export async function runningServices(
  cluster: Cluster,
  { namespace }: PeerOrganization,
  signal: AbortSignal,
): Promise<readonly RunningService[] | undefined> {
  const labels = { ...managedBy, "app.kubernetes.io/component": "chaincode" };
  try {
    const deployments = await list(cluster, { kind: "Deployment", namespace, labels }, signal);
    const found = await Promise.all(deployments.map((deployment) => runningService(cluster, deployment, signal)));
    return found.filter((service) => service !== undefined);
  } catch (error) {
    if (error instanceof FabricError && error.code === "forbidden") return undefined;
    throw error;
  }
}

/** The one that a peer dials for a package. */
export function serviceOf(
  services: readonly RunningService[],
  node: FabricNode,
  packageId: string,
): RunningService | undefined {
  const { namespace } = node.organization;
  return services.find(
    (service) =>
      service.namespace === namespace &&
      service.packageId === packageId &&
      (service.peer === undefined || service.peer === node.name),
  );
}

async function runningService(
  cluster: Cluster,
  deployment: V1Deployment,
  signal: AbortSignal,
): Promise<RunningService | undefined> {
  const { metadata: { name = "", namespace = "", labels, annotations } = {}, spec } = deployment;
  const packageId = annotations?.[packageAnnotation];
  const service = serviceOfLabels(labels);
  if (packageId === undefined || service === undefined) return undefined;
  const verdict = rolledOut(deployment);
  const wanted = spec?.replicas ?? 1;
  const status =
    verdict.so === true
      ? `${wanted} of ${wanted} Pods ready`
      : await whyNot(cluster, { namespace, name }, verdict.so === false ? verdict.progress : verdict.because, signal);
  return {
    namespace,
    name,
    packageId,
    image: spec?.template.spec?.containers[0]?.image ?? "",
    ...(name === service ? {} : { peer: name.slice(service.length + 1) }),
    // A Deployment that was scaled to 0 is rolled out, but serves nobody.
    ready: verdict.so === true && wanted > 0,
    status,
    selector: spec?.selector.matchLabels ?? {},
  };
}

async function whyNot(
  cluster: Cluster,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  otherwise: string,
  signal: AbortSignal,
): Promise<string> {
  try {
    return (await explain(cluster, { kind: "Deployment", namespace, name }, signal))?.text ?? otherwise;
  } catch (error) {
    // Who may not read Pods or events gets what the Deployment says itself.
    if (error instanceof FabricError && error.code === "forbidden") return otherwise;
    throw error;
  }
}
