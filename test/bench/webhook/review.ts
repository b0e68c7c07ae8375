import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { V1Container, V1ObjectMeta, V1Pod, V1PodSpec } from "@kubernetes/client-node";
import { parse } from "yaml";

/** Bytes: what an API server sends for a peer of a public chart, its managed fields included. */
const reviewBytes = 8500;

const golden = join(import.meta.dirname, "../../unit/core/injection/golden/chart-bevel-statefulset/pod.yaml");

/** The same fields without the class: such data may be spread. */
type Plain<T> = Pick<T, keyof T>;
type Container = Plain<V1Container>;
type Pod = Omit<V1Pod, "metadata" | "spec"> & { readonly metadata?: Plain<V1ObjectMeta>; readonly spec?: Spec };
type Spec = Omit<V1PodSpec, "containers" | "initContainers"> & {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
};

/** A peer's Pod as a StatefulSet's controller creates it and the API server hands it on: defaults and managed fields written out. */
export function peerPod(): Pod {
  const pod = parse(readFileSync(golden, "utf8")) as Pod;
  const { metadata = {}, spec } = pod;
  const containers = (spec?.containers ?? []).map((container) => defaulted(withProbes(container)));
  const owner = {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    name: "peer0",
    uid: "7c0e8f3e-4f0e-4c55-8d0a-5a2d3b7e9f10",
  };
  const made = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...metadata,
      generateName: "peer0-",
      creationTimestamp: null,
      labels: {
        ...metadata.labels,
        "controller-revision-hash": "peer0-6d9f7c5b8d",
        "apps.kubernetes.io/pod-index": "0",
      },
      ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
    },
    spec: {
      ...spec,
      initContainers: (spec?.initContainers ?? []).map(defaulted),
      containers,
      volumes: [...(spec?.volumes ?? []), tokenVolume],
      restartPolicy: "Always",
      terminationGracePeriodSeconds: 30,
      dnsPolicy: "ClusterFirst",
      serviceAccount: spec?.serviceAccountName,
      hostname: "peer0-0",
      schedulerName: "default-scheduler",
      tolerations: ["not-ready", "unreachable"].map((state) => ({
        key: `node.kubernetes.io/${state}`,
        operator: "Exists",
        effect: "NoExecute",
        tolerationSeconds: 300,
      })),
      priority: 0,
      enableServiceLinks: true,
      preemptionPolicy: "PreemptLowerPriority",
    },
    status: {},
  };
  const managed = {
    manager: "kube-controller-manager",
    operation: "Update",
    apiVersion: "v1",
    time: "2026-01-01T00:00:00Z",
    fieldsType: "FieldsV1",
    // What the controller set: the rest comes from defaults and admission.
    fieldsV1: { ...fieldsOf(spec, "spec"), ...fieldsOf({ labels: made.metadata.labels }, "metadata") },
  };
  return JSON.parse(JSON.stringify({ ...made, metadata: { ...made.metadata, managedFields: [managed] } })) as Pod;
}

/** The whole review, of `reviewBytes`. */
export function reviewBody(pod: Pod): string {
  const body = (note: string): string => JSON.stringify(reviewOf(pod, note));
  const missing = reviewBytes - Buffer.byteLength(body(""));
  if (missing < 0) throw new Error(`expected a review of at most ${reviewBytes} bytes, found ${reviewBytes - missing}`);
  return body("n".repeat(missing));
}

function reviewOf(pod: Pod, note: string) {
  const kind = { group: "", version: "v1", kind: "Pod" };
  const resource = { group: "", version: "v1", resource: "pods" };
  return {
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
      kind,
      resource,
      requestKind: kind,
      requestResource: resource,
      name: "peer0-0",
      namespace: "supplychain-net",
      operation: "CREATE",
      userInfo: {
        username: "system:serviceaccount:kube-system:statefulset-controller",
        uid: "f0b4ce5c-6a0e-4a0f-8d9e-1f2d3c4b5a69",
        groups: ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
      },
      object: {
        ...pod,
        metadata: { ...pod.metadata, annotations: { ...pod.metadata?.annotations, "example.com/note": note } },
      },
      oldObject: null,
      dryRun: false,
      options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" },
    },
  };
}

const tokenVolume = {
  name: "kube-api-access-x7k2p",
  projected: {
    defaultMode: 420,
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      {
        downwardAPI: {
          items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
        },
      },
    ],
  },
};

function defaulted(container: Container): Container {
  const token = {
    name: tokenVolume.name,
    readOnly: true,
    mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
  };
  return {
    imagePullPolicy: "IfNotPresent",
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    ...container,
    resources: { requests: { cpu: "250m", memory: "512Mi" }, limits: { cpu: "2", memory: "2Gi" } },
    volumeMounts: [...(container.volumeMounts ?? []), token],
  };
}

function withProbes(container: Container): Container {
  const [port] = container.ports ?? [];
  if (port === undefined) return container;
  const probe = {
    tcpSocket: { port: port.containerPort },
    initialDelaySeconds: 15,
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  };
  return { ...container, livenessProbe: probe, readinessProbe: probe };
}

/** As the API server notes who set which field (KEP-555). */
function fieldsOf(value: unknown, name: string): Record<string, unknown> {
  const key = `f:${name}`;
  if (typeof value !== "object" || value === null) return { [key]: {} };
  const inner = Array.isArray(value)
    ? value.map((item: { name?: string }) => ({ [`k:{"name":${JSON.stringify(item.name)}}`]: merged(item) }))
    : [merged(value)];
  return { [key]: Object.assign({}, ...inner) as unknown };
}

function merged(value: object): Record<string, unknown> {
  const fields = Object.entries(value).map(([name, inner]) =>
    Array.isArray(inner) && inner.some((item) => typeof item !== "object" || !("name" in item))
      ? { [`f:${name}`]: {} }
      : fieldsOf(inner, name),
  );
  return Object.assign({ ".": {} }, ...fields) as Record<string, unknown>;
}
