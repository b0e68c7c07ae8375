import { FabricError, messageOf } from "../../error.ts";
import { apply, applyDryRun, type DryRun } from "../../kubernetes/apply.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { KubernetesObject, V1PersistentVolumeClaim } from "../../kubernetes/client-node.ts";
import { podReady } from "../../kubernetes/conditions.ts";
import { get } from "../../kubernetes/objects.ts";
import { waitFor } from "../../kubernetes/wait.ts";
import type { Step, StepContext } from "../../engine/step.ts";
import { isClaim, lookAtClaim, removeUnbound } from "./claims.ts";
import { listed, readyStep } from "../../kubernetes/steps/object-steps.ts";
import { ordererObjects } from "./orderer.ts";
import { peerObjects } from "./peer.ts";
import { rollOut, type StatefulSetRef } from "../../kubernetes/steps/rollout.ts";
import { hostOf, nodesOf, type FabricNode } from "../resources/nodes.ts";
import { fabricImage, type FabricNetwork } from "../resources/spec.ts";

/** Waits until a node that was restarted has what the others have; tells how it went. */
export type CaughtUp = (node: FabricNode, context: StepContext) => Promise<string>;

/** A node is there as wanted, and ready. One that runs and has to be restarted for it waits for its turn. */
export function nodeSteps(
  cluster: Cluster,
  network: FabricNetwork,
  node: FabricNode,
  caughtUp: CaughtUp,
  after: string,
): readonly Step[] {
  const { organization, name, component } = node;
  const objects = nodeObjects(network, node);
  const id = `${organization.name}/${name}`;
  const ref = { kind: "StatefulSet", namespace: organization.namespace, name } as const;
  return [
    {
      id,
      title: `${organization.name}: ${component} ${name}`,
      after: [after],
      takesTurns: true,
      async observe({ signal }) {
        const { looks, isRestart } = await look(cluster, objects, node, signal);
        const differing = changeOf(looks);
        if (differing === "") return { is: "so" };
        const change = isRestart ? `${differing}; restarts ${hostOf(node)}` : differing;
        const isThere = looks.every(({ change: kind, object }) => kind !== "create" || object.kind !== "StatefulSet");
        return { is: "differs", change, inTurn: isRestart, isThere };
      },
      async act(context) {
        const { signal } = context;
        const { looks, isRestart } = await look(cluster, objects, node, signal);
        if (isRestart) await othersReady(cluster, node, context);
        for (const { object, obsolete } of looks) {
          if (obsolete) await removeUnbound(cluster, obsolete, context);
          await apply(cluster, object, { signal });
        }
        if (!isRestart) return;
        try {
          await rollOut(cluster, ref, context);
        } catch (error) {
          throw error instanceof FabricError && !signal.aborted ? failedRestart(network, node, error) : error;
        }
        return caughtUp(node, context);
      },
    },
    nodeReadyStep(cluster, network, node, ref, id),
  ];
}

function nodeReadyStep(
  cluster: Cluster,
  network: FabricNetwork,
  node: FabricNode,
  ref: StatefulSetRef,
  after: string,
): Step {
  return {
    ...readyStep(cluster, { id: `${after}/ready`, title: `${hostOf(node)} is ready`, after: [after], ref }),
    async act(context) {
      try {
        await rollOut(cluster, ref, context);
      } catch (error) {
        if (!(error instanceof FabricError) || !["not-ready", "timeout"].includes(error.code)) throw error;
        const hint = joinedHints([error.hint, whatToChange(network, node, error.message)]);
        throw new FabricError(error.code, error.message, { hint, cause: error });
      }
      return "";
    },
  };
}

function failedRestart(network: FabricNetwork, node: FabricNode, cause: FabricError): FabricError {
  const goOn = "no further node is restarted; init again with what is right replaces its Pod";
  return new FabricError(cause.code, `${hostOf(node)} did not come up again: ${cause.message}`, {
    hint: joinedHints([cause.hint, whatToChange(network, node, cause.message), goOn]),
    cause,
  });
}

const joinedHints = (hints: readonly (string | undefined)[]): string =>
  hints.filter((hint) => hint !== undefined).join("; ");

/** The option that holds what may be wrong with a node: an image that was named by itself stays whatever the version. Pure. */
export function whatToChange(
  { spec }: FabricNetwork,
  { component }: Pick<FabricNode, "component">,
  failure: string,
): string | undefined {
  if (/claim \S+ is Pending/.test(failure)) return "another storage class: kubectl fabric init --storage-class NAME";
  const image = spec.images[component];
  const isNamed = image !== fabricImage(component, spec.fabricVersion);
  if (!isNamed && !failure.includes(image)) return undefined;
  const option = isNamed ? `--${component}-image IMAGE` : "--fabric-version TAG";
  return `the definition names the image ${image}; another: kubectl fabric init ${option}`;
}

/** All of a node but its identity. */
export const nodeObjects = (network: FabricNetwork, node: FabricNode): readonly KubernetesObject[] =>
  node.component === "orderer" ? ordererObjects(network, node) : peerObjects(network, node);

/** What applying one object would do. */
interface ObjectLook extends Pick<DryRun<KubernetesObject>, "change" | "fields"> {
  readonly object: KubernetesObject;
  readonly obsolete?: V1PersistentVolumeClaim;
}

interface Look {
  readonly looks: readonly ObjectLook[];
  /** Its Pod is ready, and would be replaced. */
  readonly isRestart: boolean;
}

async function look(
  cluster: Cluster,
  objects: readonly KubernetesObject[],
  node: FabricNode,
  signal: AbortSignal,
): Promise<Look> {
  const looks = await Promise.all(
    objects.map(async (object): Promise<ObjectLook> => {
      if (isClaim(object)) return lookAtClaim(cluster, object, signal);
      const { change, fields } = await applyDryRun(cluster, object, signal);
      return { change, fields, object };
    }),
  );
  const isReplaced = looks.some(
    ({ change, fields }) => change === "update" && fields.some((field) => field.startsWith("/spec/template/")),
  );
  return { looks, isRestart: isReplaced && podReady(await get(cluster, podOf(node), signal)).so === true };
}

/** What is not as wanted, in a few words; nothing when all is. */
function changeOf(looks: readonly ObjectLook[]): string {
  const changed = looks.filter(({ change }) => change !== "none");
  const [anew, others] = [true, false].map((isAnew) =>
    changed.filter(({ obsolete }) => (obsolete !== undefined) === isAnew).map(({ object }) => object),
  );
  return [
    ...(others?.length ? [listed(others)] : []),
    ...(anew?.length ? [`${listed(anew)} made anew, for ${anew.length === 1 ? "it has" : "they have"} no volume`] : []),
  ].join("; ");
}

/** The one Pod of a node's StatefulSet. */
export const podOf = ({ name, organization: { namespace } }: FabricNode) =>
  ({ kind: "Pod", namespace, name: `${name}-0` }) as const;

/** Waits until the rest of an organization can do without this node. Throws `not-ready` with what is wrong with the others. */
async function othersReady(cluster: Cluster, node: FabricNode, { signal, progress }: StepContext): Promise<void> {
  const all = nodesOf(node.organization);
  const others = all.filter(({ name }) => name !== node.name);
  for (;;) {
    const pods = await Promise.all(others.map((other) => get(cluster, podOf(other), signal)));
    const down = others.filter((_, index) => podReady(pods[index]).so !== true);
    const [first] = down;
    if (!first || down.length < mayBeDown(node.component, all.length)) return;
    progress(`waits for ${hostOf(first)}`);
    try {
      await waitFor(cluster, podOf(first), podReady, { signal });
    } catch (cause) {
      if (!(cause instanceof FabricError) || cause.code === "interrupted") throw cause;
      throw new FabricError(
        "not-ready",
        `expected ${hostOf(first)} to be ready before ${hostOf(node)} is restarted: ${messageOf(cause)}`,
        { hint: cause.hint ?? "kubectl fabric status tells what is wrong with it", cause },
      );
    }
  }
}

/** How many of an organization's nodes may be down at a time, the one that is restarted among them: orderers keep a quorum, BFT's too. */
export function mayBeDown(component: FabricNode["component"], count: number): number {
  return component === "orderer" ? Math.max(1, Math.floor((count - 1) / 3)) : 1;
}
