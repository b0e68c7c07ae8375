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
export const webhookController: Controller = ({ object }, stored) => {
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
