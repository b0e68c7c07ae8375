import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import {
  servedResource,
  type Change,
  type ServedResource,
  type StoredObjects,
  type WireObject,
} from "./stored-objects.ts";

/** Acts on what has changed, as a controller of Kubernetes' own does: a moment later, by what it finds then. */
export type Controller = (change: Change, stored: StoredObjects) => void;

const resource = (kind: string): ServedResource => {
  const found = servedResource({ kind });
  if (!found) throw new Error(`expected a kind that is served, found ${kind}`);
  return found;
};
const manager = "kube-controller-manager";

interface Workload extends WireObject {
  readonly spec: {
    readonly replicas?: number;
    readonly template: {
      readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
      readonly spec?: object;
    };
  };
  readonly status?: object;
}

/** The workload that changed, as it is now; undefined when the change was of something else or it has gone. */
function workloadOf(kind: string, { object }: Change, stored: StoredObjects): Workload | undefined {
  if (object.kind !== kind) return undefined;
  return stored.find(resource(kind), object.metadata.namespace, object.metadata.name) as Workload | undefined;
}

/** The Pods of a StatefulSet run and are ready as soon as it is there. */
export const statefulSetController: Controller = (change, stored) => {
  const set = workloadOf("StatefulSet", change, stored);
  if (!set) return;
  const { name, namespace, generation } = set.metadata;
  const { replicas = 1, template } = set.spec;
  for (let index = 0; index < replicas; index++) {
    const pod = `${name}-${index}`;
    if (stored.find(resource("Pod"), namespace, pod)) continue;
    const metadata = { ...template.metadata, name: pod, ...(namespace === undefined ? {} : { namespace }) };
    const conditions = [{ type: "Ready", status: "True" }];
    const running = { ...template, apiVersion: "v1", kind: "Pod", metadata, status: { phase: "Running", conditions } };
    stored.create(resource("Pod"), running, manager);
  }
  reportReady(stored, "StatefulSet", set, replicas, generation);
};

/** What Pods of an image come to: "broken" has an image, but no Pod of a StatefulSet becomes ready with it. */
export type PodFate = (image: string) => "ready" | "broken" | "absent";

/** A Pod that nobody made from a template runs to its end, unless its image is absent. */
export function barePodController(fate: PodFate): Controller {
  return ({ object, removed }, stored) => {
    if (object.kind !== "Pod" || removed || object["status"] !== undefined) return;
    const { name, namespace } = object.metadata;
    if (!stored.find(resource("Pod"), namespace, name)) return;
    const image = imageOf(object["spec"]);
    const state =
      fate(image) === "absent"
        ? { waiting: { reason: "ErrImagePull", message: "not found" } }
        : { terminated: { exitCode: 0 } };
    const status = { phase: "Pending", containerStatuses: [{ name: "main", image, state }] };
    stored.update(resource("Pod"), namespace, name, (now) => ({ ...now, status }), manager);
  };
}

const imageOf = (spec: unknown): string =>
  (spec as { readonly containers: readonly { readonly image: string }[] }).containers[0]?.image ?? "";

/**
 * The one Pod of a StatefulSet, replaced when the template changes, as the real controller does it (OrderedReady): a Pod that is not
 * ready is waited for, and never replaced (kubernetes#67250).
 */
export function rollingStatefulSetController(fate: PodFate): Controller {
  return (change, stored) => {
    const { kind, metadata } = change.object;
    const name = kind === "Pod" && change.removed ? metadata.name.replace(/-0$/, "") : metadata.name;
    if (kind !== "StatefulSet" && !(kind === "Pod" && change.removed)) return;
    const set = stored.find(resource("StatefulSet"), metadata.namespace, name) as Workload | undefined;
    if (!set) return;
    const { template } = set.spec;
    const revision = `${name}-${createHash("sha256").update(JSON.stringify(template)).digest("hex").slice(0, 10)}`;
    const pod = stored.find(resource("Pod"), metadata.namespace, `${name}-0`);
    const isNew = pod?.metadata.labels?.[revisionLabel] === revision;
    if (pod && !isNew && isReady(pod)) {
      stored.erase(resource("Pod"), metadata.namespace, `${name}-0`); // and that leads here again
      return;
    }
    if (!pod) makePod(stored, set, revision, fate);
    const now = stored.find(resource("Pod"), metadata.namespace, `${name}-0`);
    const status = {
      observedGeneration: set.metadata.generation,
      updateRevision: revision,
      replicas: 1,
      readyReplicas: now && isReady(now) ? 1 : 0,
      updatedReplicas: now?.metadata.labels?.[revisionLabel] === revision ? 1 : 0,
    };
    if (isDeepStrictEqual(set.status, status)) return;
    stored.update(resource("StatefulSet"), metadata.namespace, name, (object) => ({ ...object, status }), manager);
  };
}

const revisionLabel = "controller-revision-hash";

function makePod(stored: StoredObjects, set: Workload, revision: string, fate: PodFate): void {
  const { name, namespace } = set.metadata;
  const { template } = set.spec;
  const labels = { ...template.metadata?.labels, [revisionLabel]: revision };
  const image = imageOf(template.spec);
  const ready = fate(image) === "ready";
  const waiting = { name: "main", image, state: { waiting: { reason: "ErrImageNeverPull" } } };
  const status = {
    phase: ready ? "Running" : "Pending",
    conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
    ...(ready ? {} : { containerStatuses: [waiting] }),
  };
  const metadata = {
    ...template.metadata,
    labels,
    name: `${name}-0`,
    ...(namespace === undefined ? {} : { namespace }),
  };
  stored.create(resource("Pod"), { ...template, apiVersion: "v1", kind: "Pod", metadata, status }, manager);
}

function isReady(pod: WireObject): boolean {
  const { conditions = [] } = (pod["status"] ?? {}) as { readonly conditions?: readonly object[] };
  return conditions.some((condition) => isDeepStrictEqual(condition, { type: "Ready", status: "True" }));
}

/** The Pods of a Deployment are ready as soon as it is there. */
export const deploymentController: Controller = (change, stored) => {
  const deployment = workloadOf("Deployment", change, stored);
  if (!deployment) return;
  reportReady(stored, "Deployment", deployment, deployment.spec.replicas ?? 1, deployment.metadata.generation);
};

function reportReady(
  stored: StoredObjects,
  kind: string,
  { metadata }: Workload,
  replicas: number,
  observedGeneration: number | undefined,
): void {
  const status = { observedGeneration, replicas, readyReplicas: replicas, updatedReplicas: replicas };
  stored.update(resource(kind), metadata.namespace, metadata.name, (now) => ({ ...now, status }), manager);
}

/** A namespace that is being removed goes with all that is in it. */
export const namespaceController: Controller = ({ object, removed }, stored) => {
  if (object.kind !== "Namespace" || removed || object.metadata.deletionTimestamp === undefined) return;
  endNamespace(stored, object.metadata.name);
};

/** Removes all that is in a namespace, then the namespace. */
function endNamespace(stored: StoredObjects, name: string): void {
  for (const { kind, metadata } of stored.all()) {
    if (metadata.namespace === name) stored.erase(resource(kind), name, metadata.name);
  }
  stored.erase(resource("Namespace"), undefined, name);
}

/** The webhook writes its authority into its registration when its Pods run (webhook/certificates/cluster-store.ts). */
const webhookController: Controller = ({ object }, stored) => {
  const registration = resource("MutatingWebhookConfiguration");
  const name = "kubectl-fabric-webhook";
  if (object.metadata.name !== name || !stored.find(resource("Deployment"), "kubectl-fabric-system", name)) return;
  if (!stored.find(registration, undefined, name)) return;
  const trusting = (webhook: { readonly clientConfig: object }) => ({
    ...webhook,
    clientConfig: { ...webhook.clientConfig, caBundle: "Y2E=" },
  });
  stored.update(
    registration,
    undefined,
    name,
    (now) => ({ ...now, webhooks: (now["webhooks"] as { readonly clientConfig: object }[]).map(trusting) }),
    name,
  );
};

export const usualControllers: readonly Controller[] = [
  statefulSetController,
  deploymentController,
  namespaceController,
  webhookController,
];

/** A controller that is slow: what it has to do waits until it is let go. */
export interface HeldController {
  readonly controller: Controller;
  /** Does what waits, and from now on everything at once. */
  letGo(): void;
}

export function held(controller: Controller): HeldController {
  const waiting: (() => void)[] = [];
  let isHeld = true;
  return {
    controller(change, stored) {
      if (isHeld) waiting.push(() => controller(change, stored));
      else controller(change, stored);
    },
    letGo() {
      isHeld = false;
      for (const act of waiting.splice(0)) act();
    },
  };
}

/** The usual ones, with others in the place of one. */
export function usualControllersBut(controller: Controller, ...instead: readonly Controller[]): readonly Controller[] {
  return [...usualControllers.filter((other) => other !== controller), ...instead];
}
