import { FabricError, LostConnection } from "../../error.ts";
import { joined, type Remedy } from "../../remedy.ts";
import { apply, applyDryRun, type DryRun } from "../../kubernetes/apply.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { KubernetesObject, V1PersistentVolumeClaim } from "../../kubernetes/client-node.ts";
import { podReady } from "../../kubernetes/conditions.ts";
import { get } from "../../kubernetes/objects.ts";
import { waitFor } from "../../kubernetes/wait.ts";
import type { Acted, Step, StepContext, Waiting } from "../../engine/step.ts";
import { claimGone, isClaim, lookAtClaim, removeUnbound } from "./claims.ts";
import { listed } from "../../kubernetes/steps/object-steps.ts";
import { ordererObjects } from "./orderer.ts";
import { peerObjects } from "./peer.ts";
import { rolledOutStep } from "../../kubernetes/steps/rollout.ts";
import { hostOf, nodesOf, type FabricNode } from "../resources/nodes.ts";
import { fabricImage, type FabricNetwork } from "../resources/spec.ts";

/** Waits until a restarted node has the others' blocks; returns the result in words. */
export type CaughtUp = (node: FabricNode, context: StepContext) => Promise<string>;

/**
 * A node is there as wanted, and ready. A running node that has to be restarted for this waits for its turn, and for the other nodes to be
 * ready.
 */
export function nodeSteps(
  cluster: Cluster,
  network: FabricNetwork,
  node: FabricNode,
  caughtUp: CaughtUp,
  after: Step,
): readonly Step[] {
  const changed = changedStep(cluster, network, node, caughtUp, after);
  return [changed, readyStep(cluster, network, node, changed)];
}

function changedStep(
  cluster: Cluster,
  network: FabricNetwork,
  node: FabricNode,
  caughtUp: CaughtUp,
  after: Step,
): Step {
  const { organization, name, component } = node;
  const objects = nodeObjects(network, node);
  const step = {
    id: `${organization.name}/${name}`,
    title: `${organization.name}: ${component} ${name}`,
    after: [after],
  };
  const rollout = rolledOutStep(cluster, { ...step, ref: statefulSetOf(node) });
  /** Set when this run has restarted the node; `gone` is what came of it, once the node has caught up. */
  let restart: { gone?: string } | undefined;
  const came = async (context: StepContext) => {
    restart = { gone: await caughtUp(node, context) };
  };
  return {
    ...step,
    lane: "restarts of nodes",
    async observe(context) {
      const { looks, isRestart } = await look(cluster, objects, node, context.signal);
      const differing = changeOf(looks);
      if (differing !== "") {
        const ending = looks.find(({ obsolete }) => obsolete?.metadata?.deletionTimestamp !== undefined);
        if (ending?.obsolete) return claimGone(cluster, ending.obsolete);
        const isThere = looks.every(({ change, object }) => change !== "create" || object.kind !== "StatefulSet");
        if (!isRestart) return { is: "differs", change: differing, isThere };
        return { is: "differs", change: `${differing}; restarts ${hostOf(node)}`, interrupts: true, isThere };
      }
      if (restart === undefined) return { is: "so" };
      if (restart.gone !== undefined) return { is: "so", detail: restart.gone };
      const rolled = await rollout.observe(context);
      if (rolled.is === "differs") return { ...rolled, interrupts: true };
      if (rolled.is === "waiting") return explained(rolled, (error) => failedRestart(network, node, error));
      return { is: "waiting", missing: `${hostOf(node)} catches up`, until: came };
    },
    async act(context) {
      const { signal } = context;
      const { looks, isRestart } = await look(cluster, objects, node, signal);
      if (changeOf(looks) === "") {
        const acted = await rollout.act(context);
        return isWaiting(acted) ? explained(acted, (error) => failedRestart(network, node, error)) : acted;
      }
      const obsolete = looks.flatMap((each) => each.obsolete ?? []);
      const [first] = obsolete;
      if (first) {
        for (const claim of obsolete) await removeUnbound(cluster, claim, signal);
        return claimGone(cluster, first);
      }
      const lacking = isRestart ? await othersReady(cluster, node, signal) : undefined;
      if (lacking) return lacking;
      // Before it is asked for: an answer that is lost does not keep it from happening.
      if (isRestart) restart = {};
      for (const { object } of looks) await apply(cluster, object, { signal });
      if (!isRestart) return undefined;
      return { is: "waiting", missing: `${hostOf(node)} restarts` };
    },
  };
}

const statefulSetOf = ({ name, organization: { namespace } }: FabricNode) =>
  ({ kind: "StatefulSet", namespace, name }) as const;

function readyStep(cluster: Cluster, network: FabricNetwork, node: FabricNode, after: Step): Step {
  const ref = statefulSetOf(node);
  const step = rolledOutStep(cluster, {
    id: `${after.id}/ready`,
    title: `${hostOf(node)} is ready`,
    after: [after],
    ref,
  });
  const hinted = (error: FabricError) => {
    if (!["not-ready", "timeout"].includes(error.code)) return error;
    const hint = joined([error.hint, whatToChange(network, node, error.message)], "; ");
    return new FabricError(error.code, error.message, { hint, cause: error });
  };
  return {
    ...step,
    async observe(context) {
      const observation = await step.observe(context);
      return observation.is === "waiting" ? explained(observation, hinted) : observation;
    },
    async act(context) {
      const acted = await step.act(context);
      return isWaiting(acted) ? explained(acted, hinted) : acted;
    },
  };
}

const isWaiting = (acted: Acted): acted is Waiting => typeof acted === "object" && "is" in acted;

/** What waits, with what it throws in other words. */
function explained(waiting: Waiting, other: (error: FabricError) => FabricError): Waiting {
  const { until } = waiting;
  return {
    ...waiting,
    until: (context) =>
      until?.(context).catch((error: unknown) => {
        const isOwn = error instanceof FabricError && !(error instanceof LostConnection);
        throw isOwn && error !== context.signal.reason ? other(error) : error;
      }) ?? Promise.resolve(),
  };
}

function failedRestart(network: FabricNetwork, node: FabricNode, cause: FabricError): FabricError {
  const goOn = "no further node is restarted; init again with what is right replaces its Pod";
  return new FabricError(cause.code, `${hostOf(node)} did not come up again: ${cause.message}`, {
    hint: joined([cause.hint, whatToChange(network, node, cause.message), goOn], "; "),
    cause,
  });
}

/** The option of `init` that may repair a node. An image that was set by itself does not follow --fabric-version. Pure. */
export function whatToChange(
  { spec }: FabricNetwork,
  { component }: Pick<FabricNode, "component">,
  failure: string,
): Remedy | undefined {
  if (/claim \S+ is Pending/.test(failure))
    return ["another storage class: ", { operation: "init", with: { storageClass: "NAME" } }];
  const image = spec.images[component];
  const isNamed = image !== fabricImage(component, spec.fabricVersion);
  if (!isNamed && !failure.includes(image)) return undefined;
  const named = component === "peer" ? { peerImage: "IMAGE" } : { ordererImage: "IMAGE" };
  const other = isNamed ? named : { fabricVersion: "TAG" };
  return [`the definition names the image ${image}; another: `, { operation: "init", with: other }];
}

/** All objects of a node except its identity. */
export const nodeObjects = (network: FabricNetwork, node: FabricNode): readonly KubernetesObject[] =>
  node.component === "orderer" ? ordererObjects(network, node) : peerObjects(network, node);

/** The changes that applying one object would make. */
interface ObjectLook extends Pick<DryRun<KubernetesObject>, "change" | "fields"> {
  readonly object: KubernetesObject;
  readonly obsolete?: V1PersistentVolumeClaim;
}

interface Look {
  readonly looks: readonly ObjectLook[];
  /** Whether the node's Pod is ready, and would be replaced. */
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

/** The differing objects, in a few words; empty when there are none. */
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

/** What to wait for when too many nodes of the organization would be down with this one; undefined when it may be restarted now. */
async function othersReady(cluster: Cluster, node: FabricNode, signal: AbortSignal): Promise<Waiting | undefined> {
  const all = nodesOf(node.organization);
  const others = all.filter(({ name }) => name !== node.name);
  const pods = await Promise.all(others.map((other) => get(cluster, podOf(other), signal)));
  const down = others.filter((_, index) => podReady(pods[index]).so !== true);
  const [first] = down;
  if (!first || down.length < mayBeDown(node.component, all.length)) return undefined;
  const waiting: Waiting = {
    is: "waiting",
    missing: `${hostOf(first)} is not ready`,
    until: ({ signal: whole, progress }) => {
      progress(`waits for ${hostOf(first)}`);
      return waitFor(cluster, podOf(first), podReady, { signal: whole });
    },
  };
  return explained(waiting, (cause) =>
    cause.code === "interrupted"
      ? cause
      : new FabricError(
          "not-ready",
          `expected ${hostOf(first)} to be ready before ${hostOf(node)} is restarted: ${cause.message}`,
          { hint: cause.hint ?? [{ operation: "status" }, " tells what is wrong with it"], cause },
        ),
  );
}

/** How many of an organization's nodes may be down at a time, including the restarted one: orderers keep a quorum, also for BFT. */
export function mayBeDown(component: FabricNode["component"], count: number): number {
  return component === "orderer" ? Math.max(1, Math.floor((count - 1) / 3)) : 1;
}
