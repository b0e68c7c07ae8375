import { FabricError } from "../../error.ts";
import { describeRef, list, refOf, remove } from "../../kubernetes/objects.ts";
import type { KubernetesObject } from "../../kubernetes/client-node.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import type { PeerOrganization } from "../../network/resources/spec.ts";
import type { Step } from "../../engine/step.ts";
import type { RuntimeRequest } from "./runtime-request.ts";
import { chaincodeSelector, serviceOfLabels } from "./service-name.ts";

/** What ends first: the Pods; then what they needed. */
const kinds = ["Deployment", "Service", "NetworkPolicy", "Secret"] as const;

/**
 * Services that the chaincode's definition on this channel no longer uses are gone. `kept` names the one that runs now; none when the
 * chaincode has moved into the peers' own daemons.
 */
export function leftoversStep(
  { cluster }: OpenNetwork,
  { chaincode, channel }: Pick<RuntimeRequest, "chaincode" | "channel">,
  organization: PeerOrganization,
  kept: string | undefined,
  after: readonly Step[],
): Step {
  const found = async (signal: AbortSignal): Promise<readonly KubernetesObject[]> => {
    const labels = chaincodeSelector(chaincode, channel);
    const lists = await Promise.all(
      kinds.map((kind) => list(cluster, { kind, namespace: organization.namespace, labels }, signal)),
    );
    const all: readonly KubernetesObject[] = lists.flat();
    return all.filter(({ metadata }) => metadata?.deletionTimestamp === undefined).filter(isLeft);
  };
  const isLeft = ({ metadata }: KubernetesObject): boolean => serviceOfLabels(metadata?.labels) !== kept;
  return {
    id: `leftovers/${organization.name}`,
    title: `${organization.name} runs no other service for ${chaincode} on ${channel}`,
    after,
    removes: true,
    async observe({ signal }) {
      try {
        const left = await found(signal);
        return left.length === 0 ? { is: "so" } : { is: "differs", change: described(left) };
      } catch (error) {
        // A user who deploys only into daemons needs no right to see Deployments, and then has made none.
        if (kept === undefined && error instanceof FabricError && error.code === "forbidden") {
          return { is: "so", detail: "not looked for: no right to list Deployments" };
        }
        throw error;
      }
    },
    async act({ signal }) {
      const left = await found(signal);
      for (const object of left) await remove(cluster, refOf(object), { uid: object.metadata?.uid, signal });
      return `removed ${described(left)}`;
    },
  };
}

const described = (objects: readonly KubernetesObject[]): string =>
  objects
    .filter(({ kind }) => kind === "Deployment")
    .map((object) => describeRef(refOf(object)))
    .join(", ") || `${objects.length} objects`;
