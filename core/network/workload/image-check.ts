import { FabricError } from "../../error.ts";
import { ifAllowed } from "../../kubernetes/allowed.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { V1Pod } from "../../kubernetes/client-node.ts";
import { podReady, type Condition } from "../../kubernetes/conditions.ts";
import { explainPod, lacksImage } from "../../kubernetes/explain.ts";
import { create, get, list, remove } from "../../kubernetes/objects.ts";
import { waitFor } from "../../kubernetes/wait.ts";
import type { Step, StepContext } from "../../engine/step.ts";
import { managedBy } from "../../kubernetes/ownership.ts";
import { restrictedContainer, restrictedPod } from "./node-objects.ts";
import { podOf } from "./node-steps.ts";
import { nodesOf, type FabricNode } from "../resources/nodes.ts";
import { organizations, type FabricNetwork, type Organization } from "../resources/spec.ts";

/** Seconds after which Kubernetes ends the Pod, if the command was killed. */
const longest = 3600;

/**
 * A check that the cluster has, or can pull, the new images of running nodes, before the definition is written and the nodes are
 * stopped. It is left out for a user who may not read, list or create an organization's Pods.
 */
export function imagesStep(cluster: Cluster, network: FabricNetwork, after: Step): Step {
  const checked = new Set<string>();
  const missing = async (signal: AbortSignal): Promise<readonly NewImage[]> => {
    const all = await Promise.all(organizations(network).map((one) => newImages(cluster, network, one, signal)));
    const found = all.flat().filter(({ image }) => !checked.has(image));
    // Each once, by the first node that is to run it.
    return found.filter(({ image }, index) => found.findIndex((other) => other.image === image) === index);
  };
  return {
    id: "images",
    title: "the cluster has the new images",
    after: [after],
    isCheck: true,
    async observe({ signal }) {
      const images = await missing(signal);
      const change = images.map(({ image }) => image).join(", ");
      return images.length === 0 ? { is: "so" } : { is: "differs", change };
    },
    async act({ signal }) {
      const [first] = await missing(signal);
      if (!first) return undefined;
      const { image } = first;
      const pod = await makeCheckPod(cluster, first, signal);
      const until = async (context: StepContext) => {
        context.progress(`looking for the image ${image}`);
        if (pod) await pulled(cluster, image, pod, context);
        checked.add(image);
      };
      return { is: "waiting", missing: `looking for the image ${image}`, until };
    },
  };
}

interface NewImage {
  readonly image: string;
  /** A node that is to run it. */
  readonly node: FabricNode;
}

/** The new images of an organization's ready nodes. */
async function newImages(
  cluster: Cluster,
  { spec: { images } }: FabricNetwork,
  organization: Organization,
  signal: AbortSignal,
): Promise<readonly NewImage[]> {
  try {
    const found = nodesOf(organization).map(async (node): Promise<readonly NewImage[]> => {
      const pod = await get(cluster, podOf(node), signal);
      const image = images[node.component];
      const runs = pod?.spec?.containers.some((container) => container.image === image);
      return podReady(pod).so === true && runs !== true ? [{ image, node }] : [];
    });
    return (await Promise.all(found)).flat();
  } catch (error) {
    if (error instanceof FabricError && error.code === "forbidden") return [];
    throw error;
  }
}

/** A Pod that asks for the image, beside the node that is to run it; undefined for who may not make one. */
async function makeCheckPod(
  cluster: Cluster,
  { image, node: { component, organization } }: NewImage,
  signal: AbortSignal,
): Promise<V1Pod | undefined> {
  const { namespace } = organization;
  await ifAllowed(removeLeftovers(cluster, namespace, signal));
  return ifAllowed(create(cluster, checkPod(namespace, image, component), { signal }));
}

/** Waits until a Pod has its image, where it may be watched, and removes it. Throws `not-ready` with the kubelet's words. */
async function pulled(
  cluster: Cluster,
  image: string,
  { metadata }: V1Pod,
  { signal, progress }: StepContext,
): Promise<void> {
  const ref = { kind: "Pod", namespace: metadata?.namespace, name: metadata?.name ?? "" } as const;
  try {
    const told = (text: string) => progress(`image ${image}: ${text}`);
    await waitFor(cluster, ref, hasImage, { signal, progress: told });
  } catch (cause) {
    if (!(cause instanceof FabricError) || cause.code === "interrupted") throw cause;
    if (cause.code === "forbidden") return;
    throw new FabricError("not-ready", `expected the cluster to have the image ${image}; ${cause.message}`, {
      hint: [
        "nothing was changed. Is the image's name right (",
        { setting: "fabricVersion" },
        ", ",
        { setting: "peerImage" },
        ", ",
        { setting: "ordererImage" },
        "), and may the cluster pull it?",
      ],
      cause,
    });
  } finally {
    // Also after Ctrl-C.
    const lasting = cluster.lasting();
    await remove(lasting, ref, { uid: metadata?.uid, gracePeriodSeconds: 0 }).catch(() => {});
    lasting.close();
  }
}

const checkLabels = { ...managedBy, "app.kubernetes.io/component": "image-check" } as const;

/** Removes Pods of a command that was killed. One that may still start can be that of a command which runs at this moment. */
async function removeLeftovers(cluster: Cluster, namespace: string, signal: AbortSignal): Promise<void> {
  const pods = await list(cluster, { kind: "Pod", namespace, labels: checkLabels }, signal);
  for (const { metadata } of pods.filter(isLeftover)) {
    const ref = { kind: "Pod", namespace, name: metadata?.name ?? "" } as const;
    await remove(cluster, ref, { uid: metadata?.uid, gracePeriodSeconds: 0, signal });
  }
}

/** Whether a Pod has ended, or should have: Kubernetes ends no Pod that has found no node. */
function isLeftover({ metadata, status }: V1Pod): boolean {
  const made = metadata?.creationTimestamp?.getTime() ?? Infinity;
  return ["Succeeded", "Failed"].includes(status?.phase ?? "") || Date.now() - made > longest * 1000;
}

/** A Pod that only has to start: `peer version` and `orderer version` need no configuration. */
function checkPod(namespace: string, image: string, component: FabricNode["component"]): V1Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { generateName: "kubectl-fabric-image-", namespace, labels: checkLabels },
    spec: {
      restartPolicy: "Never",
      activeDeadlineSeconds: longest,
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: restrictedPod,
      containers: [
        {
          name: component,
          image,
          command: [component, "version"],
          resources: { requests: { cpu: "10m", memory: "32Mi" } },
          securityContext: restrictedContainer,
        },
      ],
    },
  };
}

/** Once the kubelet makes the container, it has the image. It does not matter how the container ends. */
const hasImage: Condition<V1Pod> = (pod) => {
  const [container] = pod?.status?.containerStatuses ?? [];
  const { running, terminated, waiting } = container?.state ?? {};
  if (running ?? terminated ?? container?.lastState?.terminated) return { so: true };
  if (["CreateContainerError", "RunContainerError"].includes(waiting?.reason ?? "")) return { so: true };
  const problem = pod && explainPod(pod);
  if (problem && container && lacksImage(container)) return { so: "never", because: problem.text };
  return { so: false, progress: problem?.text ?? "the Pod that asks for it starts" };
};
