import { escapePathComponent, type Operation } from "fast-json-patch";
import { annotationKeys } from "../annotations.ts";
import { FabricError } from "../../error.ts";
import type { KubernetesObject } from "../../kubernetes/client-node.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { describeRef, get, patch, type ObjectRef } from "../../kubernetes/objects.ts";
import type { Step } from "../../engine/step.ts";
import { originalOf, restore } from "./original.ts";
import { fieldsOf, podTemplatesOf, type PodTemplate } from "./pod-template.ts";

const workloadKinds = ["Deployment", "StatefulSet", "DaemonSet", "CronJob"] as const;
export type WorkloadKind = (typeof workloadKinds)[number];

/** kubectl's short names. */
const shortKinds: Readonly<Record<string, WorkloadKind>> = {
  deploy: "Deployment",
  sts: "StatefulSet",
  ds: "DaemonSet",
  cj: "CronJob",
};

/** Reads "statefulset/peer0". Throws `usage` when its kind cannot be ejected; the message lists those that can. */
export function workloadRef(text: string, namespace: string | undefined): ObjectRef<WorkloadKind> {
  const [, word = "", name = ""] = /^([a-z]+)(?:\.[a-z0-9.]+)?\/([a-z0-9][-a-z0-9.]*)$/i.exec(text) ?? [];
  const lower = word.toLowerCase();
  const kind =
    shortKinds[lower] ??
    workloadKinds.find((known) => [known, `${known}s`].some((form) => form.toLowerCase() === lower));
  if (kind !== undefined) return { kind, namespace, name };
  throw new FabricError(
    "usage",
    `expected ${workloadKinds.map((known) => `${known.toLowerCase()}/NAME`).join(", ")}, found ${text}`,
    {
      hint: /^po(ds?)?\//i.test(text)
        ? "a Pod cannot be changed: eject what it was made from, or delete it and make it anew without the annotation"
        : { operation: "eject", of: "deployment/my-peer", with: { namespace: "my-org" } },
    },
  );
}

/** A step after which a workload asks for no injection, and its template has nothing of `kubectl fabric inject` in it. */
export function ejectedStep(cluster: Cluster, ref: ObjectRef<WorkloadKind>): Step {
  const read = async (signal: AbortSignal): Promise<KubernetesObject> => {
    const found = await get(cluster, ref, signal);
    if (found !== undefined) return found;
    throw new FabricError(
      "usage",
      `expected ${describeRef(ref)}, found none in ${ref.namespace ?? cluster.namespace}`,
      {
        hint: { kubectl: ["get", ref.kind.toLowerCase(), "-A"] },
      },
    );
  };
  return {
    id: `eject/${ref.kind}/${ref.name}`,
    title: `${describeRef(ref)} asks for no injection`,
    after: [],
    async observe({ signal }) {
      const operations = ejectOperations(await read(signal));
      return operations.length === 0
        ? { is: "so" }
        : { is: "differs", change: operations.map(({ op, path }) => `${op} ${path}`).join(", ") };
    },
    async act({ signal }) {
      const object = await read(signal);
      const unchanged = { op: "test", path: "/metadata/resourceVersion", value: object.metadata?.resourceVersion };
      await patch(cluster, ref, { type: "json", patch: [unchanged, ...ejectOperations(object)] }, { signal });
      return [...managerHint(object), rolloutHint(ref, object)].join("; ");
    },
  };
}

/** The operations that take the injection out of a workload; empty when there is none. Pure. */
function ejectOperations(workload: KubernetesObject): readonly Operation[] {
  return podTemplatesOf(workload).flatMap((template) =>
    ofTemplate(template).map((operation) => ({
      ...operation,
      path: `${template.path.map((key) => `/${escapePathComponent(String(key))}`).join("")}${operation.path}`,
    })),
  );
}

function ofTemplate({ pod }: PodTemplate): readonly Operation[] {
  const original = originalOf(pod);
  const wish = pod.metadata?.annotations?.[annotationKeys.inject];
  const off: Operation[] =
    wish === undefined || wish === "false"
      ? []
      : [{ op: "remove", path: `/metadata/annotations/${escapePathComponent(annotationKeys.inject)}` }];
  return original === undefined ? off : [...restore(pod, original).operations, ...off];
}

/** A hint when a controller made the workload: it may put the annotation back. */
function managerHint({ metadata }: KubernetesObject): readonly string[] {
  const owner = (metadata?.ownerReferences ?? []).find(({ controller }) => controller === true);
  return owner === undefined
    ? []
    : [`${owner.kind} ${owner.name} manages it and may put the annotation back: change it there`];
}

/** What happens to the workload's Pods: a new template replaces them, unless its strategy does not. */
function rolloutHint({ kind, name, namespace }: ObjectRef, object: KubernetesObject): string {
  const where = namespace === undefined ? "" : ` -n ${namespace}`;
  if (kind === "CronJob") return "its next Job starts without the sidecar";
  const spec = fieldsOf(fieldsOf(object)["spec"]);
  const strategy = fieldsOf(spec["updateStrategy"])["type"];
  return strategy === "OnDelete"
    ? `its Pods stay until they are deleted (updateStrategy OnDelete): kubectl delete pod${where} ...`
    : `its Pods are replaced: kubectl rollout status ${kind.toLowerCase()}/${name}${where}`;
}
