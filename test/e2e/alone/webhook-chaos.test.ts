// Pods are created without pause while all that an injection needs is taken away piece by piece and comes back.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { ApiError } from "../../../core/kubernetes/api-error.ts";
import type { V1Pod } from "../../../core/kubernetes/client-node.ts";
import { connectCluster, type Cluster } from "../../../core/kubernetes/cluster.ts";
import { list } from "../../../core/kubernetes/objects.ts";
import { issuer } from "../../../webhook/certificates/issue.ts";
import { splitBundle, type KeyPair } from "../../../webhook/certificates/certificate.ts";
import { newKubectl } from "../../sandbox/kubectl.ts";
import { newPlugin } from "../plugin-process.ts";
import { startApiServer, stopApiServer } from "./api-server.ts";

const { kubeconfig, binDir, sandbox } = inject("cluster");
const { output: pluginOutput } = newPlugin();
const kubectl = newKubectl(binDir, kubeconfig);
const system = ["-n", "kubectl-fabric-system"];
const namespace = `chaos-${process.pid}`;
const sidecar = "kubectl-fabric-dind";
const leastCreations = 2000;
/** So many at a time, each with a pause: the machine has other work during the test, too. */
const creators = 4;
const pauseMs = 40;
const hourMs = 3_600_000;

let cluster: Cluster;
/** How often the API server itself was waited for. */
let away = 0;

/** An annotated peer that nobody schedules: neither scheduler nor kubelet sets the pace. */
function peer(name: string): V1Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, annotations: { "kubectl-fabric.io/inject": "true" } },
    spec: {
      schedulerName: "nobody",
      containers: [
        { name: "peer", image: "hyperledger/fabric-peer:2.5", env: [{ name: "CORE_PEER_ID", value: name }] },
      ],
    },
  };
}

interface Creation {
  readonly created: string[];
  readonly refused: string[];
}

beforeAll(async () => {
  await pluginOutput(["webhook", "install"]);
  cluster = await connectCluster({ kubeconfig, onAway: () => void away++ });
  const labels = { "kubectl-fabric.io/injection": "enabled", "pod-security.kubernetes.io/enforce": "privileged" };
  await kubectl.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } });
  await kubectl(["-n", namespace, "wait", "--for=create", "serviceaccount/default", "--timeout=60s"]);
});

afterAll(async () => {
  await kubectl(["delete", "namespace", namespace, "--wait=true", "--timeout=300s"]);
  cluster.close();
  await pluginOutput(["webhook", "uninstall", "--yes"]);
});

test.skipIf(!sandbox)(
  "2,000 Pods while replicas go, leaf and CA change and the API server restarts: none refused, none without its daemon",
  async () => {
    const creation: Creation = { created: [], refused: [] };
    const over = new AbortController();
    const creating = createAll(creation, over.signal);
    try {
      await replaceReplica();
      await changeLeaf();
      await changeAuthority();
      await stopApiServer("SIGTERM");
      await startApiServer(kubectl);
      await replaceReplica();
    } finally {
      over.abort();
      await creating;
    }
    expect(creation.refused).toEqual([]);
    expect(creation.created.length).toBeGreaterThanOrEqual(leastCreations);
    const pods = await list(cluster, { kind: "Pod", namespace });
    expect(pods).toHaveLength(creation.created.length);
    const without = pods.filter(({ spec }) => !spec?.initContainers?.some(({ name }) => name === sidecar));
    expect(without.map(({ metadata }) => metadata?.name)).toEqual([]);
    expect(away).toBeGreaterThan(0); // it did restart
  },
  480_000,
);

/** Goes on until there are enough and everything has happened. */
async function createAll(creation: Creation, over: AbortSignal): Promise<void> {
  let next = 0;
  const creator = async (): Promise<void> => {
    while (!over.aborted || next < leastCreations) {
      await create(`peer-${next++}`, creation);
      await sleep(pauseMs);
    }
  };
  await Promise.all(Array.from({ length: creators }, creator));
}

/** What the API server answers counts; that it does not answer at all is not the webhook's doing, and is tried again. */
async function create(name: string, creation: Creation): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await cluster.call({ method: "POST", path: `/api/v1/namespaces/${namespace}/pods`, body: peer(name) });
      creation.created.push(name);
      return;
    } catch (thrown) {
      if (!(thrown instanceof ApiError)) {
        await sleep(250);
      } else if (thrown.httpStatus === 409 && attempt > 0) {
        creation.created.push(name); // the answer to the attempt before was lost, not the Pod
        return;
      } else {
        creation.refused.push(`${name}: ${thrown.message}`);
        return;
      }
    }
  }
}

/** The oldest replica goes as a drained node's would, and another takes its place. Each new one looks at the certificates. */
async function replaceReplica(): Promise<void> {
  const [oldest] = (await kubectl([...system, "get", "pods", "--sort-by=.metadata.creationTimestamp", "-o", "name"]))
    .trim()
    .split("\n");
  await kubectl([...system, "delete", oldest ?? "", "--wait=true"]);
  await kubectl([...system, "rollout", "status", "deployment/kubectl-fabric-webhook", "--timeout=120s"]);
}

const authoritySecret = "kubectl-fabric-webhook-authority";
const leafSecret = "kubectl-fabric-webhook-tls";

async function secret(name: string): Promise<Readonly<Record<string, string>>> {
  const { data = {} } = JSON.parse(await kubectl([...system, "get", "secret", name, "-o", "json"])) as {
    data?: Record<string, string>;
  };
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]),
  );
}

async function writeSecret(name: string, data: Readonly<Record<string, string>>): Promise<void> {
  const encoded = Object.fromEntries(
    Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString("base64")]),
  );
  const patch = JSON.stringify([{ op: "add", path: "/data", value: encoded }]);
  await kubectl([...system, "patch", "secret", name, "--type=json", `--patch=${patch}`]);
}

async function published(): Promise<readonly string[]> {
  const path = "jsonpath={.webhooks[0].clientConfig.caBundle}";
  const base64 = await kubectl(["get", "mutatingwebhookconfiguration", "kubectl-fabric-webhook", "-o", path]);
  return splitBundle(Buffer.from(base64, "base64").toString());
}

/** The leaf is lost: whoever looks first makes another. */
async function changeLeaf(): Promise<void> {
  const before = await secret(leafSecret);
  await writeSecret(leafSecret, {});
  await replaceReplica();
  const after = await secret(leafSecret);
  expect(after["tls.crt"]).toContain("BEGIN CERTIFICATE");
  expect(after["tls.crt"]).not.toBe(before["tls.crt"]);
}

/**
 * The change of a CA takes a day, most of it waiting. Here the Secret is put forward to the state in which each wait has ended;
 * what follows is done by the replicas.
 */
async function changeAuthority(): Promise<void> {
  const old = await secret(authoritySecret);
  const oldCertificate = old["tls.crt"] ?? "";
  const young = await issuer.authority(new Date());
  const settled = await issuer.authority(new Date(Date.now() - 2 * hourMs));
  // A new CA is known beside the old one, and waits until every API server has heard of it.
  await writeAuthority(young, [young.cert, settled.cert, oldCertificate]);
  await replaceReplica();
  expect(await published()).toHaveLength(3);
  // Every API server has: the leaf follows.
  const leaf = await secret(leafSecret);
  await writeAuthority(settled, [settled.cert, oldCertificate]);
  await replaceReplica();
  expect((await secret(leafSecret))["tls.crt"]).not.toBe(leaf["tls.crt"]);
  // Both replicas serve the new leaf: the old CA goes.
  await replaceReplica();
  await writeAuthority(settled, [settled.cert]);
  await replaceReplica();
  expect(await published()).toEqual([settled.cert]);
}

function writeAuthority({ cert, key }: KeyPair, bundle: readonly string[]): Promise<void> {
  return writeSecret(authoritySecret, { "tls.crt": cert, "tls.key": key, "ca.crt": bundle.join("") });
}
