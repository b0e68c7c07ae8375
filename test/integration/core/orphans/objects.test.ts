// Orphans among Kubernetes objects, before a real API server. What the peers say is given: they have their own test in test/contract.
import { afterAll, beforeAll, describe, expect } from "vitest";
import { connectCluster } from "../../../../core/kubernetes/cluster.ts";
import type { KubernetesObject } from "../../../../core/kubernetes/client-node.ts";
import { apply } from "../../../../core/kubernetes/apply.ts";
import { create, get, list } from "../../../../core/kubernetes/objects.ts";
import { networkFor } from "../../../../core/network/resources/network-request.ts";
import { builderPlace } from "../../../../core/orphans/places/builder-k8s.ts";
import type { FactsReader } from "../../../../core/orphans/judgement/facts.ts";
import { findingKey, type Finding } from "../../../../core/orphans/judgement/finding.ts";
import type { PeerFacts } from "../../../../core/orphans/judgement/judgement.ts";
import type { PeerPod } from "../../../../core/orphans/peers/peer-pod.ts";
import { removalSteps } from "../../../../core/orphans/removal-steps.ts";
import { scheduleObjects } from "../../../../core/orphans/schedule.ts";
import { servicePlace } from "../../../../core/orphans/places/service.ts";
import { survey } from "../../../../core/orphans/survey.ts";
import { eachBounded } from "../../../../core/engine/bounded.ts";
import { runToEnd } from "../../../run-to-end.ts";
import { startApiServer, type ApiServer } from "../../webhook/api-server.ts";
import { newStory } from "../../../story.ts";

const { signal } = new AbortController();
const id = (label: string) => `${label}:${"ab".repeat(32)}`;
const [running, old] = [id("asset_2"), id("asset_1")];
const age = () => ({ now: new Date(), olderThan: 0 });
const range = (count: number) => Array.from({ length: count }, (_, index) => index);

const peer = (organization: string): PeerPod => ({
  name: `peer0.${organization}`,
  namespace: organization,
  pod: "peer0-0",
  running: true,
  docker: "sidecar",
  owner: { networkId: "fabric", peerId: `peer0.${organization}` },
  mspId: `${organization}-msp`,
  tls: true,
  network: "fabric",
  organization,
});
const peers = ["org1", "org2"].map(peer);

const knows: PeerFacts = {
  known: true,
  packages: new Map([
    [running, { state: "needed", because: "mychannel runs it as asset" }],
    [old, { state: "superseded", because: "asset on mychannel is at 2" }],
  ]),
};
const silent: PeerFacts = { known: false, code: "connection", because: "peer0.org2 cannot be asked" };

/** Peers that say so. */
const saying = (facts: Readonly<Record<string, PeerFacts>>): FactsReader => ({
  of: async ({ name }) => facts[name] ?? silent,
  package: async () => undefined,
  close: async () => {},
});

function built(kind: "Job" | "Secret", name: string, organization: string, packageId: string): KubernetesObject {
  const metadata = {
    name,
    namespace: organization,
    labels: { "app.kubernetes.io/created-by": "fabric-builder-k8s" },
    annotations: {
      "fabric-builder-k8s-ccid": packageId,
      "fabric-builder-k8s-mspid": `${organization}-msp`,
      "fabric-builder-k8s-peerid": `peer0.${organization}`,
    },
  };
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "cc", image: "cc" }] } };
  const rest = kind === "Job" ? { apiVersion: "batch/v1", spec: { suspend: true, template } } : { apiVersion: "v1" };
  return Object.assign({ kind, metadata }, rest);
}

function served(name: string, packageId: string, ours: boolean): readonly KubernetesObject[] {
  const own = {
    "app.kubernetes.io/managed-by": "kubectl-fabric",
    "kubectl-fabric.io/network": "fabric",
    "kubectl-fabric.io/org": "org1",
  };
  const metadata = { name, namespace: "org1", labels: ours ? own : {} };
  const app = { app: name };
  const container = { name: "cc", image: "cc", env: [{ name: "CHAINCODE_ID", value: packageId }] };
  const spec = {
    replicas: 0,
    selector: { matchLabels: app },
    template: { metadata: { labels: app }, spec: { containers: [container] } },
  };
  const service = { selector: app, ports: [{ port: 9999 }] };
  return [
    Object.assign({ apiVersion: "apps/v1", kind: "Deployment", metadata }, { spec }),
    Object.assign({ apiVersion: "v1", kind: "Service", metadata }, { spec: service }),
  ];
}

describe("objects that nobody needs", () => {
  let server: ApiServer;

  const test = newStory();

  beforeAll(async () => {
    server = await startApiServer("1.36");
    for (const name of ["org1", "org2"]) {
      await create(server.cluster, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
    }
    const orphans = range(50).flatMap((index) => [
      built("Job", `old-${index}`, "org1", old),
      built("Secret", `old-${index}`, "org1", old),
      ...served(`old-${index}`, old, true),
    ]);
    const live = range(10).flatMap((index) => [
      built("Job", `live-${index}`, "org1", running),
      built("Secret", `live-${index}`, "org1", running),
      ...served(`live-${index}`, running, index % 2 === 0),
      built("Job", `silent-${index}`, "org2", old),
      ...served(`silent-${index}`, old, false),
    ]);
    await eachBounded([...orphans, ...live], 8, (object) => create(server.cluster, object));
  });
  afterAll(() => server?.close());

  const places = (facts: FactsReader) => {
    const context = { cluster: server.cluster, peers, everywhere: true, facts, gonePeers: [] };
    return [builderPlace(context, undefined), servicePlace(context, undefined)];
  };
  const names = async (): Promise<readonly string[]> => {
    const lists = await Promise.all(
      (["Job", "Secret", "Deployment", "Service"] as const).map(async (kind) =>
        (await list(server.cluster, { kind }, signal))
          .filter(({ metadata }) => metadata?.namespace !== "default")
          .map(({ metadata }) => `${kind}/${metadata?.name}`),
      ),
    );
    return lists.flat();
  };
  const look = async (facts: FactsReader): Promise<readonly Finding[]> =>
    (await survey(places(facts), peers, facts, age(), signal)).findings;
  const orphansOf = (findings: readonly Finding[]) => findings.filter(({ verdict }) => verdict === "orphan");
  const tidy = async (facts: FactsReader, findings: readonly Finding[]) =>
    runToEnd(removalSteps(places(facts), findings, age), { signal });

  const oneSilent = saying({ "peer0.org1": knows });
  const allKnown = saying({ "peer0.org1": knows, "peer0.org2": knows });

  test("all 200 are found and go, and no other, while a peer does not answer", async () => {
    const before = await names();
    const found = await look(oneSilent);
    expect(orphansOf(found)).toHaveLength(200);
    expect(orphansOf(found).every(({ name }) => name.startsWith("old-"))).toBe(true);
    expect(found.filter(({ name, verdict }) => name.startsWith("silent-") && verdict === "kept")).toHaveLength(30);
    expect((await tidy(oneSilent, found)).changed).toBe(200);
    expect(await names()).toEqual(before.filter((name) => !name.includes("/old-")));
  });

  test("what is needed by the time of its removal stays; what was made anew under its name, too", async () => {
    const found = await look(allKnown);
    expect(orphansOf(found)).toHaveLength(30);
    const before = await names();
    expect(await tidy(oneSilent, found)).toMatchObject({ changed: 0, unchanged: 30 });
    const stale = orphansOf(found).map((finding) => ({ ...finding, id: "00000000-0000-0000-0000-000000000000" }));
    const [builder] = places(allKnown);
    const [job] = stale.filter(({ kind }) => kind === "Job");
    if (!job) throw new Error("expected a Job");
    await expect(builder?.remove(job, age(), signal)).rejects.toMatchObject({ code: "conflict" });
    expect(await names()).toEqual(before);
  });

  test("the rest goes when the peer answers", async () => {
    const found = await look(allKnown);
    expect((await tidy(allKnown, found)).changed).toBe(30);
    const after = await look(allKnown);
    expect(orphansOf(after)).toEqual([]);
    expect(after.map(findingKey)).toHaveLength(40);
  });

  test("a schedule is accepted, and its account may read one Secret", async () => {
    const network = networkFor({ peerOrganizations: ["org1", "org2"] });
    const [organization] = network.spec.peerOrganizations;
    if (!organization) throw new Error("expected an organization");
    const schedule = { cron: "17 3 * * *", olderThan: 86_400, sources: ["dind", "service"], image: "p:1" } as const;
    for (const object of scheduleObjects(network, organization, schedule)) await apply(server.cluster, object);
    for (const name of ["admin-identity", "other"]) {
      await create(server.cluster, { apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "org1" } });
    }
    const { status } = (await server.cluster.call({
      method: "POST",
      path: "/api/v1/namespaces/org1/serviceaccounts/fabric-cleanup/token",
      body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
    })) as { readonly status: { readonly token: string } };
    const kubeconfig = await server.kubeconfigFor("cleanup", status.token);
    const cluster = await connectCluster({ kubeconfig, env: {} });
    const secret = (name: string, namespace = "org1") => get(cluster, { kind: "Secret", namespace, name }, signal);
    expect((await secret("admin-identity"))?.metadata?.name).toBe("admin-identity");
    await expect(secret("other")).rejects.toMatchObject({ code: "forbidden" });
    await expect(secret("admin-identity", "org2")).rejects.toMatchObject({ code: "forbidden" });
    await expect(list(cluster, { kind: "Secret", namespace: "org1" }, signal)).rejects.toMatchObject({
      code: "forbidden",
    });
    expect(await list(cluster, { kind: "Deployment", namespace: "org1" }, signal)).toHaveLength(10);
    cluster.close();
  });
});
