// The webhook and what it makes, before real API servers of two Kubernetes minors. Pods are created by a dry run: there is no
// kubelet to start them, and admission, defaulting and validation are the API server's own.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { bundleWebhook } from "../../../build/bundle.ts";
import { ejectManifest, injectManifest } from "../../../core/injection/manifest/offline.ts";
import type {
  KubernetesObject,
  V1Container,
  V1MutatingWebhookConfiguration,
  V1Pod,
  V1StatefulSet,
} from "../../../core/kubernetes/client-node.ts";
import type { Cluster } from "../../../core/kubernetes/cluster.ts";
import { create, get } from "../../../core/kubernetes/objects.ts";
import { webhookManifests } from "../../../core/installation/manifests.ts";
import { peerObjects } from "../../../core/network/workload/peer.ts";
import { networkFor } from "../../../core/network/resources/network-request.ts";
import { peerNodes } from "../../../core/network/resources/nodes.ts";
import { checkPolicyServed, hasPolicy } from "../../../core/installation/webhook.ts";
import { annotationKeys } from "../../../core/injection/annotations.ts";
import { profiles, type ProfileName } from "../../../core/injection/profile.ts";
import { defaultSettings } from "../../../core/injection/settings.ts";
import { sidecarName } from "../../../core/injection/sidecar.ts";
import { freePorts } from "../free-ports.ts";
import { startApiServer, apiServerVersions, type ApiServer } from "./api-server.ts";
import { ready, startWebhook, type WebhookProcess } from "./webhook-process.ts";

const golden = join(import.meta.dirname, "../../unit/core/injection/golden");
const systemNamespace = "kubectl-fabric-system";

const cases = readdirSync(golden).filter((name) => !existsSync(join(golden, name, "context.yaml")));
const ending = (file: string) => cases.filter((name) => existsSync(join(golden, name, file)));
/** What an API server itself does not read, or drops (resources of the Pod itself before 1.32): only a file says it to us. */
const onlyInFiles = new Set(["pod-resources-malformed", "pod-resources-wrong"]);
const read = (name: string, file: string) => readFileSync(join(golden, name, file), "utf8");

/** As the controller of a namespace would send it: some fixtures name a namespace of their chart's. */
function podOf(name: string, namespace = "org1"): V1Pod {
  const pod = parse(read(name, "pod.yaml"), { version: "1.1" }) as V1Pod;
  const { name: own, generateName, annotations, labels } = pod.metadata ?? {};
  const metadata = {
    namespace,
    annotations,
    labels,
    ...(generateName === undefined ? { name: own ?? name } : { generateName }),
  };
  return Object.assign({}, pod, { apiVersion: "v1", kind: "Pod", metadata });
}

/** A controller makes the default one; charts make theirs. */
const accounts = ["org1", "locked", "bounded", "unprivileged"].flatMap((namespace) => {
  const named = cases.map((name) => podOf(name).spec?.serviceAccountName ?? "default");
  return [...new Set(["default", ...named])].map((name) => ({
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name, namespace },
  }));
});

const sidecars = ({ spec }: V1Pod) =>
  [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].filter(({ name }) => name === sidecarName);

/** Names and values, as the API server prints them: without empty ones. */
const literals = ({ env }: V1Container) => (env ?? []).map(({ name, value = "" }) => [name, value]);

let directory: string;
let program: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kubectl-fabric-admission-"));
  program = join(directory, "webhook.cjs");
  await bundleWebhook(program);
});

afterAll(() => rm(directory, { recursive: true, force: true }));

describe.each(apiServerVersions)("Kubernetes %s", (version) => {
  let server: ApiServer;
  let cluster: Cluster;
  let webhook: WebhookProcess;
  let port: number;

  /** With its own account and rights, as manifests/base gives them. */
  const startOurs = async (): Promise<WebhookProcess> => {
    const token = (await cluster.call({
      method: "POST",
      path: `/api/v1/namespaces/${systemNamespace}/serviceaccounts/kubectl-fabric-webhook/token`,
      body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
    })) as { readonly status: { readonly token: string } };
    const kubeconfig = await server.kubeconfigFor("webhook", token.status.token);
    const settings = join(directory, "settings.yaml");
    await writeFile(settings, "{}");
    // Its certificate is for the Service's name: here that is the host itself.
    const flags = [`--port=${port}`, "--service=localhost", `--settings=${settings}`, `--namespace=${systemNamespace}`];
    const started = await startWebhook(program, kubeconfig, flags);
    await ready(started);
    return started;
  };

  const dryRun = <T extends KubernetesObject>(object: T): Promise<T> => create(cluster, object, { dryRun: true });

  beforeAll(async () => {
    server = await startApiServer(version);
    ({ cluster } = server);
    [port = 0] = await freePorts(1);
    for (const object of webhookManifests()) await create(cluster, reachedAt(object, port));
    const nodeInfo = { kubeletVersion: `v${version}.0` };
    await create(cluster, {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "node" },
      status: { nodeInfo },
    } as KubernetesObject);
    await create(cluster, namespaceOf("org1", { "pod-security.kubernetes.io/enforce": "privileged" }));
    await create(cluster, namespaceOf("bounded", { "pod-security.kubernetes.io/enforce": "privileged" }));
    await create(cluster, namespaceOf("locked", { "pod-security.kubernetes.io/enforce": "baseline" }));
    await create(cluster, namespaceOf("unprivileged", { "pod-security.kubernetes.io/enforce": "restricted" }));
    for (const account of accounts) await create(cluster, account);
    webhook = await startOurs();
  }, 1_800_000);

  afterAll(async () => {
    await webhook?.end("SIGKILL");
    await server?.close();
  });

  test("there are at least 20 forms of public charts and operators", () => {
    expect(ending("injected.yaml").filter((name) => name.startsWith("chart-")).length).toBeGreaterThanOrEqual(20);
  });

  test.each(ending("injected.yaml"))("takes %s as it is injected", async (name) => {
    const pod = await dryRun(podOf(name));
    expect(pod.metadata?.annotations).toHaveProperty([annotationKeys.injected]);
    const expected = parse(read(name, "injected.yaml")) as V1Pod;
    expect(sidecars(pod).map(({ restartPolicy }) => restartPolicy)).toEqual(sidecars(expected).map(() => "Always"));
    const names = (list: readonly { name: string }[] | undefined) =>
      (list ?? []).map((entry) => entry.name).filter((entry) => !entry.startsWith("kube-api-access-"));
    expect(names(pod.spec?.initContainers)).toEqual(names(expected.spec?.initContainers));
    expect(names(pod.spec?.volumes)).toEqual(names(expected.spec?.volumes));
    expect((pod.spec?.containers ?? []).map(literals)).toEqual((expected.spec?.containers ?? []).map(literals));
  });

  test.each(ending("denial.txt").filter((name) => !onlyInFiles.has(name)))(
    "hands on the denial of %s",
    async (name) => {
      const [, sentence = ""] = read(name, "denial.txt").split("\n");
      await expect(dryRun(podOf(name))).rejects.toThrow(sentence);
    },
  );

  test.each(ending("untouched.txt"))("does not change %s", async (name) => {
    const pod = podOf(name);
    const made = await dryRun(pod);
    expect(made.metadata?.annotations).toEqual(pod.metadata?.annotations);
    expect(sidecars(made)).toEqual([]);
  });

  test("Pod Security refuses nothing that the webhook did not refuse before, with the command to type", async () => {
    await expect(dryRun(podOf("chart-bevel-statefulset", "locked"))).rejects.toThrow(
      /kubectl label namespace locked pod-security.kubernetes.io\/enforce=privileged/,
    );
  });

  test("a peer of `init --profile restricted` is taken where Pod Security restricted is enforced, Docker is not", async () => {
    const peerPod = (profile: ProfileName, asked = profile): V1Pod => {
      const network = networkFor({ profile });
      const [node] = peerNodes(network);
      const objects = node === undefined ? [] : peerObjects(network, node);
      const { template } = (objects.find(({ kind }) => kind === "StatefulSet") as V1StatefulSet).spec ?? {};
      const annotations = { ...template?.metadata?.annotations, [annotationKeys.profile]: asked };
      const metadata = { annotations, name: "peer0-0", namespace: "unprivileged" };
      return { apiVersion: "v1", kind: "Pod", metadata, spec: template?.spec ?? { containers: [] } };
    };
    const made = await dryRun(peerPod("restricted"));
    expect(sidecars(made).map(({ image }) => image)).toEqual([profiles.restricted.image.default]);
    await expect(dryRun(peerPod("privileged"))).rejects.toThrow(/which refuses Docker in a privileged container/);
    // The peer's own container that takes care of the ledger as root is named.
    const root = peerPod("privileged", "restricted");
    await expect(dryRun(root)).rejects.toThrow(/container ledger-owner: [^]*runAsUser is 0/);
    // The API server's own judgement, of a Pod that is none of ours.
    const [container] = made.spec?.initContainers ?? [];
    const securityContext = { privileged: true };
    const plain = { name: "main", image: container?.image ?? "", securityContext };
    await expect(
      dryRun<V1Pod>({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "privileged", namespace: "unprivileged" },
        spec: { containers: [plain] },
      }),
    ).rejects.toThrow(/violates PodSecurity "restricted:latest": privileged/);
  });

  test("has policies of what Pods may be, or says that it has none", async () => {
    const { signal } = new AbortController();
    const served = checkPolicyServed(cluster, signal).then(
      () => "",
      (error: unknown) => (error as Error).message,
    );
    expect(await served).toMatch(
      version === "1.36" ? /^$/ : /^--policy: expected Kubernetes 1.30 or newer, found v1.29/,
    );
    expect(await hasPolicy(cluster, signal)).toBe(false);
  });

  test("a LimitRange holds for the sidecar, too, and its annotations keep it", async () => {
    const limits = [{ type: "Container", max: { memory: "1Gi" } }];
    await create(cluster, {
      apiVersion: "v1",
      kind: "LimitRange",
      metadata: { name: "small", namespace: "bounded" },
      spec: { limits },
    } as KubernetesObject);
    const pod = podOf("plain-peer", "bounded");
    await expect(dryRun(pod)).rejects.toThrow(/maximum memory usage per Container is 1Gi, but limit is 2Gi/);
    const smaller = { ...pod.metadata?.annotations, [annotationKeys.memoryLimit]: "512Mi" };
    const made = await dryRun(
      Object.assign({}, pod, { metadata: Object.assign({}, pod.metadata, { annotations: smaller }) }),
    );
    expect(sidecars(made)[0]?.resources?.limits).toMatchObject({ memory: "512Mi" });
  });

  test("what `kubectl fabric inject` wrote is taken, and its Pods are not injected a second time", async () => {
    const pod = podOf("chart-bevel-statefulset");
    const labels = { app: "peer" };
    const template = { metadata: { annotations: pod.metadata?.annotations ?? {}, labels }, spec: pod.spec };
    const deployment = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "peer", namespace: "org1" },
      spec: { selector: { matchLabels: labels }, template },
    };
    const text = JSON.stringify(deployment);
    const injected = injectManifest(text, "peer.json", {
      settings: defaultSettings,
      cluster: {},
      version: "9.9.9",
    }).text;
    const made = await dryRun(JSON.parse(injected) as KubernetesObject);
    const { spec, metadata } = (made as unknown as typeof deployment).spec.template;
    const again = await dryRun({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...metadata, name: "peer-0", namespace: "org1" },
      spec,
    } as V1Pod);
    expect(again.metadata?.annotations).toEqual(metadata.annotations);
    expect(sidecars(again)).toHaveLength(1);
    expect(JSON.parse(ejectManifest(injected, "").text)).toEqual(JSON.parse(text));
  });

  test("resources of the Pod itself come out the same by the webhook and by `kubectl fabric inject`, and are taken", async () => {
    const withResources = ending("patch.json").filter((name) => name.startsWith("pod-resources"));
    const given = { settings: defaultSettings, cluster: {}, version: "9.9.9" };
    const results = withResources.map(async (name) => {
      const written = injectManifest(JSON.stringify(podOf(name)), "peer.json", given).text;
      const [byWebhook, byFile] = await Promise.all([dryRun(podOf(name)), dryRun(JSON.parse(written) as V1Pod)]);
      expect(byWebhook.spec?.resources).toEqual(byFile.spec?.resources);
      return byWebhook.spec?.resources?.limits?.["cpu"];
    });
    // Before 1.34 the API server drops the field, unless told otherwise.
    const limits = ["3", "3500m", "6", "3501m", "1", undefined];
    expect(new Set(await Promise.all(results))).toEqual(new Set(version === "1.36" ? limits : [undefined]));
  });

  test("archives of images are volumes where the cluster has image volumes, and are pulled elsewhere", async () => {
    const { spec } = await dryRun(podOf("preload-archives"));
    const images = (spec?.volumes ?? []).flatMap(({ image }) => image?.reference ?? []);
    expect(images).toEqual(version === "1.36" ? ["registry.corp.example/fabric-archives:2.5"] : []);
    const pulled = (spec?.initContainers ?? []).flatMap(({ env }) => env ?? []).map(({ name }) => name);
    expect(pulled.includes("KUBECTL_FABRIC_ARCHIVES")).toBe(version !== "1.36");
  });

  test("one kubelet below 1.29 is enough for the plain container, which is taken as well", async () => {
    const nodeInfo = { kubeletVersion: "v1.28.15" };
    await create(cluster, {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "old" },
      status: { nodeInfo },
    } as KubernetesObject);
    expect(await get(cluster, { kind: "Node", name: "old" })).toMatchObject({ status: { nodeInfo } });
    await webhook.end("SIGKILL");
    webhook = await startOurs();
    const pod = await dryRun(podOf("plain-peer"));
    expect(pod.spec?.containers[0]?.name).toBe(sidecarName);
    expect(pod.spec?.containers[0]?.lifecycle?.postStart?.exec?.command?.[0]).toBe("sh");
  });
});

function namespaceOf(name: string, labels: Readonly<Record<string, string>>): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { "kubectl-fabric.io/injection": "enabled", ...labels } },
  };
}

/** The registration, leading to a process of this machine instead of a Service. */
function reachedAt(object: KubernetesObject, port: number): KubernetesObject {
  if (object.kind !== "MutatingWebhookConfiguration") return object;
  const copy = structuredClone(object) as V1MutatingWebhookConfiguration;
  for (const webhook of copy.webhooks ?? []) webhook.clientConfig = { url: `https://localhost:${port}/inject` };
  return copy;
}
