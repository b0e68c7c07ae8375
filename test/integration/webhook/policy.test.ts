// manifests/overlays/policy before a real API server: what was injected passes, and nothing else that has the injection's names or
// its privilege. The webhook is not there: nobody asks it for a Pod without the annotation.
import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { V1EphemeralContainer, V1Pod, V1StatefulSet } from "../../../core/kubernetes/client-node.ts";
import { connectCluster, type Cluster } from "../../../core/kubernetes/cluster.ts";
import { create, patch } from "../../../core/kubernetes/objects.ts";
import { injectionPolicyObjects } from "../../../core/installation/injection-policy.ts";
import { webhookManifests } from "../../../core/installation/manifests.ts";
import { peerObjects } from "../../../core/network/workload/peer.ts";
import { networkFor } from "../../../core/network/resources/network-request.ts";
import { peerNodes } from "../../../core/network/resources/nodes.ts";
import { issuer } from "../../../webhook/certificates/issue.ts";
import { injectPod } from "../../../core/injection/inject.ts";
import {
  changed,
  completed,
  context,
  contextOf,
  forgeries,
  injected,
  peerPod,
  wholeAnnotations,
} from "../../unit/core/injection/forgeries.ts";
import { startApiServer, type ApiServer } from "./api-server.ts";
import { until } from "./webhook-process.ts";

const golden = join(import.meta.dirname, "../../unit/core/injection/golden");

let server: ApiServer;
let cluster: Cluster;

function podOf(pod: V1Pod): V1Pod {
  const metadata = { name: "peer0", namespace: "org1", annotations: pod.metadata?.annotations ?? {} };
  return Object.assign({}, pod, { apiVersion: "v1", kind: "Pod", metadata });
}

const dryRun = (pod: V1Pod): Promise<V1Pod> => create(cluster, podOf(pod), { dryRun: true });

/** The first line of the refusal; nothing where it is taken. */
async function refusal(pod: V1Pod): Promise<string> {
  return dryRun(pod).then(
    () => "",
    (error: unknown) => (error as Error).message,
  );
}

const plain = (container: Partial<NonNullable<V1Pod["spec"]>["containers"][number]>, spec: object = {}): V1Pod => ({
  spec: { containers: [{ name: "main", image: "busybox", ...container }], ...spec },
});

const policyName = "ValidatingAdmissionPolicy 'kubectl-fabric-pods'";

beforeAll(async () => {
  server = await startApiServer("1.36");
  ({ cluster } = server);
  const labels = { "kubectl-fabric.io/injection": "enabled", "pod-security.kubernetes.io/enforce": "privileged" };
  for (const [name, own] of Object.entries({ "kubectl-fabric-system": {}, org1: labels }))
    await create(cluster, { apiVersion: "v1", kind: "Namespace", metadata: { name, labels: own } });
  const metadata = { name: "default", namespace: "org1" };
  await create(cluster, { apiVersion: "v1", kind: "ServiceAccount", metadata });
  for (const object of injectionPolicyObjects()) await create(cluster, object);
  // The API server compiles it first.
  const refused = async () =>
    (await refusal(plain({ securityContext: { privileged: true } }))).includes(policyName) ? true : undefined;
  await until("a policy in force", refused, 60);
}, 1_800_000);

afterAll(() => server?.close());

/** Pods that give the node away themselves: by a hostPath, a daemon of their own, or a mesh's init container with NET_ADMIN. */
const beyondThePolicy = [
  "chart-cli-beside-peer",
  "chart-fabric-operator-ibm",
  "chart-hlf-kube-dind",
  "chart-istio-native-sidecar",
  "chart-linkerd-injected",
  "chart-own-dind-defaults",
  "chart-own-dind-sidecar",
  "chart-unmounted-socket",
  "own-dind-socket",
  "own-dind-tcp",
  "own-dind-tls-socket",
  "shared-processes",
  "socket-by-other-ways",
  "socket-directory",
  "socket-kept",
  "socket-shared",
];

async function goldenPod(name: string): Promise<V1Pod> {
  const pod = parse(await readFile(join(golden, name, "pod.yaml"), "utf8"), { version: "1.1" }) as V1Pod;
  return changed(injected(pod), ({ spec }) => {
    for (const container of spec?.containers ?? [])
      if (container.volumeMounts?.some((mount) => mount.name === "kubectl-fabric-socket"))
        container.image = "hyperledger/fabric-peer:2.5";
    if (spec !== undefined) spec.serviceAccountName = "default";
  });
}

describe("what the injection makes passes", () => {
  const cases = readdirSync(golden).filter(
    (name) =>
      existsSync(join(golden, name, "injected.yaml")) &&
      !existsSync(join(golden, name, "context.yaml")) &&
      !beyondThePolicy.includes(name),
  );

  test("of 30 and more", () => {
    expect(cases.length).toBeGreaterThan(30);
  });

  test.each(cases)("%s", async (name) => {
    expect(await refusal(await goldenPod(name))).toBe("");
  });

  test.each(beyondThePolicy)("%s does not: not for the injection", async (name) => {
    expect(await refusal(await goldenPod(name))).toMatch(/Pod Security "baseline"|no process namespace is shared/);
  });

  test("everything at once, and what `init` makes, each with its profile", async () => {
    expect(await refusal(injected(peerPod(wholeAnnotations)))).toBe("");
    for (const profile of ["privileged", "restricted", "userns"] as const) {
      const network = networkFor({ profile });
      const [node] = peerNodes(network);
      const objects = node === undefined ? [] : peerObjects(network, node);
      const { template } = (objects.find(({ kind }) => kind === "StatefulSet") as V1StatefulSet).spec ?? {};
      const given = contextOf(context.cluster, { profile: { allowed: ["privileged", "restricted", "userns"] } });
      const metadata = { annotations: template?.metadata?.annotations ?? {} };
      const { pod: made } = injectPod({ metadata, spec: template?.spec } as V1Pod, given);
      expect(await refusal(made ?? {})).toBe("");
    }
  });

  test.each([30, 36])("archives, as a cluster of 1.%i gets them to the daemon", async (minor) => {
    const version = { major: 1, minor, patch: 0 };
    const archives = {
      "kubectl-fabric.io/preload-archives": "example.com/a:1, localhost:5000/b@sha256:" + "0".repeat(64),
    };
    const given = contextOf({ apiServer: version, oldestKubelet: version });
    expect(await refusal(injected(peerPod({ ...wholeAnnotations, ...archives }), given))).toBe("");
  });

  test("with what others add in good faith", async () => {
    const pod = changed(completed(injected(peerPod(wholeAnnotations))), ({ spec }) =>
      spec?.volumes?.push({ name: "kube-api-access", emptyDir: {} }),
    );
    expect(await refusal(pod)).toBe("");
  });

  test("and so does an ordinary Pod", async () => {
    expect(
      await refusal(plain({ securityContext: { capabilities: { add: ["NET_BIND_SERVICE"], drop: ["ALL"] } } })),
    ).toBe("");
  });
});

describe("forgeries of what was injected", () => {
  /** Not about what runs, with which privilege: these are the webhook's to see. */
  const notThePolicys = [
    "no limit",
    "a limit beyond",
    "another claim",
    "a graph beyond",
    "no preload",
    "another idler",
    "another thing in the socket's place",
  ];
  const theirs = forgeries.filter(([name]) => !notThePolicys.includes(name));

  /** Refused by the API server itself: no valid Pod. */
  const invalidPods = [
    "a second one",
    "no graph",
    "a device",
    "another container with the graph",
    "a field of a later Kubernetes",
  ];

  test.each(theirs)("%s", async (name, forge) => {
    const forged = changed(injected(peerPod(wholeAnnotations)), forge);
    const volumes = ["x"].map((unknown) => ({ name: unknown, emptyDir: {} }));
    const whole = changed(forged, ({ spec }) => spec?.volumes?.push(...volumes));
    expect(await refusal(whole)).toContain(invalidPods.includes(name) ? "is invalid" : policyName);
  });
});

describe("what a Pod may not be beside the injection", () => {
  test.each([
    ["a hostPath", plain({}, { volumes: [{ name: "node", hostPath: { path: "/" } }] }), "hostPath"],
    ["the node's processes", plain({}, { hostPID: true }), "host namespaces"],
    ["the node's network", plain({}, { hostNetwork: true }), "host namespaces"],
    ["a port of the node", plain({ ports: [{ containerPort: 80, hostPort: 80 }] }), "container main is beyond"],
    [
      "a probe of another host",
      plain({ livenessProbe: { httpGet: { port: 80, host: "169.254.169.254" } } }),
      "container main is beyond",
    ],
    [
      "a hook that calls another host",
      plain({ lifecycle: { preStop: { httpGet: { port: 80, host: "10.0.0.1" } } } }),
      "container main is beyond",
    ],
    [
      "a second volume with the daemon's claim",
      changed(injected(peerPod({ "kubectl-fabric.io/dind-storage": "pvc:images" })), ({ spec }) =>
        spec?.volumes?.push({ name: "other", persistentVolumeClaim: { claimName: "images" } }),
      ),
      "a second volume has the claim",
    ],
    ["capabilities", plain({ securityContext: { capabilities: { add: ["SYS_ADMIN"] } } }), "container main is beyond"],
    ["no seccomp", plain({}, { securityContext: { seccompProfile: { type: "Unconfined" } } }), "unconfined profiles"],
    [
      "an unsafe sysctl",
      plain({}, { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } }),
      "sysctls",
    ],
    [
      "privilege under the sidecar's name",
      plain({ name: "kubectl-fabric-dind", securityContext: { privileged: true } }),
      "container kubectl-fabric-dind is beyond",
    ],
    [
      "the socket for an image that is no peer",
      changed(
        injected(peerPod()),
        ({ spec }) => spec?.containers[0] && (spec.containers[0].image = "evil/fabric-peer:2.5"),
      ),
      "container peer mounts a volume of the injected daemon",
    ],
  ])("%s", async (_, pod, message) => {
    expect(await refusal(pod)).toContain(message);
  });

  test("the lists are the operator's", async () => {
    const ours = changed(
      injected(peerPod()),
      ({ spec }) => spec?.containers[0] && (spec.containers[0].image = "registry.local:5000/a/peer:1"),
    );
    expect(await refusal(ours)).toContain(policyName);
    const ref = { kind: "ConfigMap", namespace: "kubectl-fabric-system", name: "kubectl-fabric-policy" } as const;
    const patchOf = (peerImages: string) => ({ type: "merge", patch: { data: { peerImages } } }) as const;
    await patch(cluster, ref, patchOf("registry.local:5000/*/peer\n"));
    await until("the list is read", async () => ((await refusal(ours)) === "" ? true : undefined));
    await patch(cluster, ref, patchOf("docker.io/hyperledger/fabric-peer\n"));
    await until("the list is read", async () => ((await refusal(ours)) === "" ? undefined : true));
  });
});

describe("Pods that are there", () => {
  const path = "/api/v1/namespaces/org1/pods/running";
  const update = async (change: (pod: V1Pod) => void, subresource = ""): Promise<string> => {
    const pod = (await cluster.call({ method: "GET", path })) as V1Pod;
    const call = cluster.call({ method: "PUT", path: `${path}${subresource}`, body: changed(pod, change) });
    return call.then(
      () => "",
      (error: unknown) => (error as Error).message,
    );
  };
  const ephemeral = (container: object) =>
    update((pod) => {
      const given = { name: "debugger", image: "busybox", ...container } as V1EphemeralContainer;
      if (pod.spec !== undefined) pod.spec.ephemeralContainers = [given];
    }, "/ephemeralcontainers");

  beforeAll(async () => {
    const pod = podOf(injected(peerPod()));
    await create(cluster, Object.assign({}, pod, { metadata: Object.assign({}, pod.metadata, { name: "running" }) }));
  });

  test("get no other image for the daemon", async () => {
    expect(
      await update(({ spec }) => spec?.initContainers?.[0] && (spec.initContainers[0].image = "evil:1")),
    ).toContain(policyName);
    expect(await update(({ metadata }) => metadata && (metadata.labels = { any: "label" }))).toBe("");
  });

  test.each([
    ["of privilege", { securityContext: { privileged: true } }],
    ["with the socket", { volumeMounts: [{ name: "kubectl-fabric-socket", mountPath: "/x" }] }],
    ["beside the peer's processes", { targetContainerName: "peer" }],
  ])("get no ephemeral container %s", async (_, container) => {
    expect(await ephemeral(container)).toContain(policyName);
  });

  test("get one without", async () => {
    expect(await ephemeral({})).toBe("");
  });
});

describe("the webhook's own registration", () => {
  const path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/kubectl-fabric-webhook";
  let asWebhook: Cluster;

  beforeAll(async () => {
    for (const object of webhookManifests())
      if (object.metadata?.name !== "kubectl-fabric-system") await create(cluster, object);
    const { status } = (await cluster.call({
      method: "POST",
      path: "/api/v1/namespaces/kubectl-fabric-system/serviceaccounts/kubectl-fabric-webhook/token",
      body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
    })) as { readonly status: { readonly token: string } };
    asWebhook = await connectCluster({ kubeconfig: await server.kubeconfigFor("webhook", status.token), env: {} });
  });

  afterAll(() => asWebhook?.close());

  const change = (webhook: object): Promise<string> =>
    asWebhook
      .call({
        method: "PATCH",
        path,
        contentType: "application/strategic-merge-patch+json",
        body: { webhooks: [{ name: "inject.kubectl-fabric.io", ...webhook }] },
      })
      .then(
        () => "",
        (error: unknown) => (error as Error).message,
      );

  test("gets its CA bundle from it", async () => {
    const caBundle = Buffer.from((await issuer.authority(new Date())).cert).toString("base64");
    expect(await change({ clientConfig: { caBundle } })).toBe("");
  });

  test.each([
    ["rules", { rules: [{ apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*"] }] }],
    ["another namespace", { namespaceSelector: { matchLabels: { any: "x" } } }],
    ["no conditions", { matchConditions: null }],
    ["another service", { clientConfig: { service: { name: "other", namespace: "org1" } } }],
    [
      "a second webhook",
      {
        name: "evil.kubectl-fabric.io",
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        clientConfig: { url: "https://evil/" },
      },
    ],
  ])("but no %s", async (_, webhook) => {
    expect(await change(webhook)).toContain(
      "the webhook may change the CA bundle of its registration, and nothing else",
    );
  });
});
