import { isOlder, parseVersion } from "../injection/version.ts";
import { webhookObjects } from "../injection/webhook-objects.ts";
import { FabricError } from "../error.ts";
import { ifAllowed } from "../kubernetes/allowed.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { KubernetesObject, V1Deployment, VersionInfo } from "../kubernetes/client-node.ts";
import { gone, rolledOut } from "../kubernetes/conditions.ts";
import { createOrGet, describeRef, get, list, refOf, remove } from "../kubernetes/objects.ts";
import { waitFor } from "../kubernetes/wait.ts";
import type { Step, StepContext, Waiting } from "../engine/step.ts";
import { injectionPolicyObjects } from "./injection-policy.ts";
import { namespaceLabel } from "../injection/annotations.ts";
import { hasLabels, managedBy } from "../kubernetes/ownership.ts";
import { sameAsListed, type ListedObject } from "../kubernetes/listed-object.ts";
import { webhookManifests } from "./manifests.ts";
import { appliedStep, readyStep } from "../kubernetes/steps/object-steps.ts";
import { heldCertificates, readWebhookCertificates, type HeldCertificate } from "./webhook-certificates.ts";

/** How the webhook is to be installed; as manifests/base says unless told. */
export interface WebhookRequest {
  readonly image?: string | undefined;
  readonly replicas?: number | undefined;
  /** Whether the API server is to check Pods, too (injection-policy.ts). */
  readonly policy?: boolean | undefined;
}

const deployment = { kind: "Deployment", namespace: webhookObjects.namespace, name: webhookObjects.name } as const;
const registration = { kind: "MutatingWebhookConfiguration", name: webhookObjects.name } as const;

/** How the webhook is installed, for those who leave it as it is; nothing where it is not. */
export async function installedWebhook(cluster: Cluster, signal: AbortSignal): Promise<WebhookRequest> {
  const [found, policy] = await Promise.all([get(cluster, deployment, signal), hasPolicy(cluster, signal)]);
  const { spec } = found ?? {};
  const image = spec?.template.spec?.containers[0]?.image;
  return {
    ...(image === undefined ? {} : { image }),
    ...(spec?.replicas === undefined ? {} : { replicas: spec.replicas }),
    policy,
  };
}

/** Whether the policy is there, which then has to go with what the webhook injects. */
export async function hasPolicy(cluster: Cluster, signal: AbortSignal): Promise<boolean> {
  const refs = injectionPolicyObjects().filter(isPolicy).map(refOf);
  const found = await Promise.all(refs.map((ref) => ifAllowed(get(cluster, ref, signal))));
  return found.some((object) => object !== undefined);
}

const isPolicy = ({ kind }: KubernetesObject): boolean => kind === "ValidatingAdmissionPolicy";

/** Throws `invalid` where the API server has no such policies. */
export async function checkPolicyServed(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const { gitVersion } = (await cluster.call({ method: "GET", path: "/version", signal })) as VersionInfo;
  const version = parseVersion(gitVersion);
  if (version === undefined || !isOlder(version, "1.30")) return;
  throw new FabricError("invalid", `--policy: expected Kubernetes 1.30 or newer, found ${gitVersion}`, {
    hint: [{ operation: "webhook install" }, ", without ", { setting: "policy" }],
  });
}

/** The webhook is installed as manifests/base says, runs, and the API server trusts it. */
export function webhookInstallSteps(cluster: Cluster, request: WebhookRequest): readonly Step[] {
  const objects = webhookManifests().map((object) =>
    object.kind === "Deployment" ? adjusted(object as V1Deployment, request) : object,
  );
  const namespaces = objects.filter(isNamespace);
  const settings = objects.filter(({ kind }) => kind === "ConfigMap");
  const rest = objects.filter((object) => !isNamespace(object) && !settings.includes(object));
  const namespace = appliedStep(cluster, {
    id: "webhook/namespace",
    title: `namespace ${webhookObjects.namespace}`,
    after: [],
    objects: namespaces,
  });
  const present = settings.map((object) => presentStep(cluster, object, namespace));
  const applied = appliedStep(cluster, {
    id: "webhook/objects",
    title: "webhook",
    after: [namespace, ...present],
    objects: rest,
  });
  const ready = readyStep(cluster, {
    id: "webhook/ready",
    title: "webhook is ready",
    after: [applied],
    ref: deployment,
  });
  return [
    namespace,
    ...present,
    applied,
    ready,
    trustedStep(cluster, ready),
    ...(request.policy === true ? policySteps(cluster, { namespace, applied }) : []),
  ];
}

/** The lists, and whether to deny or to warn, are the operator's, as the settings are. A policy goes before what binds it. */
function policySteps(
  cluster: Cluster,
  { namespace, applied }: { readonly namespace: Step; readonly applied: Step },
): readonly Step[] {
  const objects = injectionPolicyObjects();
  const policies = objects.filter(isPolicy);
  const lists = objects.filter(({ kind }) => kind === "ConfigMap");
  const bindings = objects.filter((object) => !policies.includes(object) && !lists.includes(object));
  const present = lists.map((object) => presentStep(cluster, object, namespace));
  const policy = appliedStep(cluster, {
    id: "webhook/policy",
    title: "policy of what Pods may be",
    after: [applied, ...present],
    objects: policies,
  });
  return [...present, policy, ...bindings.map((object) => presentStep(cluster, object, policy))];
}

/** Settings are the operator's from the moment they exist: made once, never overwritten. */
function presentStep(cluster: Cluster, object: KubernetesObject, after: Step): Step {
  const { kind, metadata } = object;
  return {
    id: kind === "ConfigMap" ? `webhook/settings/${metadata?.name}` : `webhook/${kind}/${metadata?.name}`,
    title: presentTitle(object),
    after: [after],
    async observe({ signal }) {
      return (await get(cluster, refOf(object), signal))
        ? { is: "so" }
        : { is: "differs", change: describeRef(refOf(object)) };
    },
    async act({ signal }) {
      await createOrGet(cluster, object, { signal });
    },
  };
}

function presentTitle({ kind, metadata }: KubernetesObject): string {
  if (kind !== "ConfigMap") return `${metadata?.name} is in force`;
  return metadata?.name === webhookObjects.name ? "settings" : "lists of the policy";
}

const isNamespace = ({ kind }: KubernetesObject): boolean => kind === "Namespace";

function adjusted(object: V1Deployment, { image, replicas }: WebhookRequest): V1Deployment {
  const copy = structuredClone(object);
  if (!copy.spec) return copy;
  if (replicas !== undefined) copy.spec.replicas = replicas;
  const [container] = copy.spec.template.spec?.containers ?? [];
  if (container && image !== undefined) container.image = image;
  return copy;
}

/** The webhook writes its own authority into its registration; until then the API server cannot call it. */
function trustedStep(cluster: Cluster, after: Step): Step {
  return {
    id: "webhook/trusted",
    title: "the API server trusts the webhook",
    after: [after],
    async observe({ signal }) {
      if (trusted(await get(cluster, registration, signal))) return { is: "so" };
      const condition = (object: Registration | undefined) =>
        trusted(object) ? ({ so: true } as const) : ({ so: false, progress: "no CA bundle yet" } as const);
      const until = (context: StepContext) => waitFor(cluster, registration, condition, context);
      return { is: "waiting", missing: "wait for its certificate", until };
    },
  };
}

type Registration = NonNullable<Awaited<ReturnType<typeof get<"MutatingWebhookConfiguration">>>>;

function trusted(object: Registration | undefined): boolean {
  const webhooks = object?.webhooks ?? [];
  return webhooks.length > 0 && webhooks.every(({ clientConfig }) => Boolean(clientConfig.caBundle));
}

/**
 * What `webhook install`, or `kubectl apply -k manifests/base`, has made, as it is now: these objects, and no others that may have their
 * names later. Throws `conflict` for objects of these names that somebody else has made, and while namespaces still ask for injection.
 */
export async function installedObjects(cluster: Cluster, signal: AbortSignal): Promise<readonly ListedObject[]> {
  const refs = [...webhookManifests(), ...injectionPolicyObjects()]
    .filter((object) => object.metadata?.namespace === undefined)
    .map(refOf);
  const found = await Promise.all([...refs, deployment].map((ref) => get(cluster, ref, signal)));
  const there = found.filter((object) => object !== undefined);
  const foreign = there.filter((object) => !hasLabels(object, managedBy));
  if (foreign.length > 0) {
    const names = foreign.map((object) => describeRef(refOf(object))).join(", ");
    throw new FabricError("conflict", `expected what kubectl fabric webhook install has made, found others' ${names}`, {
      hint: "who has installed the webhook removes it (helm uninstall, for example); nothing was changed",
    });
  }
  if (there.length > 0) await checkNobodyAsks(cluster, signal);
  return there.map((object) => ({ ref: refOf(object), uid: object.metadata?.uid ?? "", labels: managedBy }));
}

/** Peers that are made there while nobody injects run without Docker, and do not say why. */
async function checkNobodyAsks(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const asking = await list(cluster, { kind: "Namespace", labels: { [namespaceLabel]: "enabled" } }, signal);
  const names = asking
    .filter(({ metadata }) => metadata?.deletionTimestamp === undefined)
    .flatMap(({ metadata }) => metadata?.name ?? []);
  if (names.length === 0) return;
  throw new FabricError("conflict", `expected no namespace that asks for injection, found ${names.join(", ")}`, {
    hint: [
      { operation: "down" },
      " deletes a network with its ledgers and keys; where no peer needs Docker any more: ",
      { kubectl: ["label", "namespace", ...names, `${namespaceLabel}-`] },
    ],
  });
}

/**
 * Nothing of the webhook is left. Its registration goes first: nobody is asked any more when nobody can answer.
 * Its Pods go before their namespace: one with Pods is looked at again only after half of the time that they may take to end
 * (pkg/controller/namespace/deletion/namespaced_resources_deleter.go), here 23 s, however soon they have.
 */
export function webhookUninstallSteps(cluster: Cluster, installed: readonly ListedObject[]): readonly Step[] {
  const gone = (isOne: (kind: string) => boolean, before: readonly Step[]) =>
    installed.filter(({ ref }) => isOne(ref.kind)).map((object) => goneStep(cluster, object, before));
  const registrations = gone((kind) => kind === registration.kind, []);
  const others = gone((kind) => kind !== registration.kind && kind !== "Namespace", registrations);
  const namespaces = gone((kind) => kind === "Namespace", [...registrations, ...others]);
  return [...registrations, ...others, ...namespaces];
}

/** Throws `conflict` for what somebody has made theirs since it was found. */
function goneStep(cluster: Cluster, listed: ListedObject, after: readonly Step[]): Step {
  const { ref, uid } = listed;
  const ended = (object: KubernetesObject | undefined) => gone(object?.metadata?.uid === uid ? object : undefined);
  const going: Waiting = {
    is: "waiting",
    missing: "it is being removed",
    until: ({ signal, progress }) => waitFor(cluster, ref, ended, { signal, progress }),
  };
  return {
    id: `webhook/${ref.kind}/${ref.name}/gone`,
    title: `${describeRef(ref)} is gone`,
    after,
    removes: true,
    async observe({ signal }) {
      const found = await sameAsListed(cluster, listed, signal);
      if (!found) return { is: "so" };
      return found.metadata?.deletionTimestamp === undefined ? { is: "differs" } : going;
    },
    async act({ signal }) {
      // With its Pods, where it has some.
      await remove(cluster, ref, { uid, signal, propagation: "Foreground" });
      return going;
    },
  };
}

/** A peer that is made before there is a webhook would run without Docker: better to say so first. */
export function webhookReadyStep(cluster: Cluster): Step {
  return {
    id: "webhook",
    title: "the webhook is there",
    after: [],
    async observe({ signal }) {
      try {
        if (trusted(await get(cluster, registration, signal))) return { is: "so" };
      } catch (error) {
        // An organization's own administrator may not look at it: whoever installed it knows.
        if (error instanceof FabricError && error.code === "forbidden")
          return { is: "so", detail: "not allowed to look" };
        throw error;
      }
      const failure = new FabricError("not-ready", "the webhook is not installed: peers would start without Docker", {
        hint: { operation: "webhook install" },
      });
      return { is: "required", of: "a cluster administrator", failure };
    },
  };
}

export interface WebhookStatus {
  readonly ready: boolean;
  readonly installed: boolean;
  readonly image: string | undefined;
  readonly replicas: { readonly ready: number; readonly wanted: number };
  /** Whether its registration carries its certificate authority. */
  readonly trusted: boolean;
  /** Days until its TLS certificate ends; it renews it by itself. Undefined when none could be read. */
  readonly certificateDaysLeft?: number;
  /** Who holds which certificate: those that this user may read, and those that the Pods serve just now. */
  readonly certificates: readonly HeldCertificate[];
  /** Namespaces that opted in. */
  readonly namespaces: readonly string[];
}

export async function webhookStatus(cluster: Cluster, signal: AbortSignal, now = new Date()): Promise<WebhookStatus> {
  const [found, configuration, optedIn] = await Promise.all([
    get(cluster, deployment, signal),
    get(cluster, registration, signal),
    list(cluster, { kind: "Namespace", labels: { [namespaceLabel]: "enabled" } }, signal),
  ]);
  const certificates = heldCertificates(await readWebhookCertificates(cluster, configuration, signal), now);
  const isTrusted = trusted(configuration);
  const leaf = certificates.find(({ role }) => role === "leaf") ?? certificates.find(({ role }) => role === "served");
  const unusable = certificates.some(({ role, problem }) => role === "served" && problem !== undefined);
  return {
    ready: isTrusted && !unusable && rolledOut(found).so === true,
    installed: found !== undefined && configuration !== undefined,
    image: found?.spec?.template.spec?.containers[0]?.image,
    replicas: { ready: found?.status?.readyReplicas ?? 0, wanted: found?.spec?.replicas ?? 0 },
    trusted: isTrusted,
    ...(leaf?.daysLeft === undefined ? {} : { certificateDaysLeft: leaf.daysLeft }),
    certificates,
    namespaces: optedIn.flatMap(({ metadata }) => metadata?.name ?? []),
  };
}
