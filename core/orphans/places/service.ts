import { messageOf } from "../../error.ts";
import { readChaincodePackage } from "../../fabric/package/chaincode-package.ts";
import { connectionAddress } from "../../fabric/package/service-chaincode.ts";
import { isLike } from "../../injection/image.ts";
import type { KubernetesObject, V1Deployment, V1Pod, V1Service } from "../../kubernetes/client-node.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { get, list, listPages, remove } from "../../kubernetes/objects.ts";
import { managedBy } from "../../kubernetes/ownership.ts";
import { networkLabel, organizationLabel } from "../../network/resources/labels.ts";
import type { FactsReader } from "../judgement/facts.ts";
import type { Finding, Judgement } from "../judgement/finding.ts";
import { agreed, judgePackage, type AgeLimit, type PeerFacts } from "../judgement/judgement.ts";
import { inOrder } from "../judgement/order.ts";
import type { PeerPod } from "../peers/peer-pod.ts";
import type { Place } from "./place.ts";
import { podEnvironment } from "../peers/pod-environment.ts";

export interface ServiceContext {
  readonly cluster: Cluster;
  readonly peers: readonly PeerPod[];
  /** Whether `peers` are all peers of the cluster. */
  readonly everywhere: boolean;
  readonly facts: FactsReader;
}

/** Chaincode as a service: Deployments that say which package they run, and the Services that lead to them. */
export function servicePlace(context: ServiceContext, namespace: string | undefined): Place {
  const { cluster } = context;
  return {
    source: "service",
    name: namespace === undefined ? "all namespaces" : `namespace ${namespace}`,
    async look(age, signal) {
      const found = await chaincodeServers(cluster, namespace, signal);
      if (found.length === 0) return [];
      const judged = await Promise.all(found.map((server) => judgeServer(context, server, age, signal)));
      return withServices(context, judged, signal);
    },
    remove: ({ kind, name, place, id }, _age, signal) =>
      remove(cluster, { kind, namespace: place.replace(/^namespace /, ""), name }, { uid: id, signal }),
  };
}

interface ChaincodeServer {
  readonly deployment: V1Deployment;
  /** Null: in a source that we cannot read. */
  readonly packageId: string | null;
}

/** The variables of the package ID (docs, cc_service.md): fabric-samples use the first, ours and Java's the second. */
const variables = ["CHAINCODE_ID", "CORE_CHAINCODE_ID_NAME"] as const;

async function chaincodeServers(
  cluster: Cluster,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<readonly ChaincodeServer[]> {
  const found: ChaincodeServer[] = [];
  for await (const { items } of listPages(cluster, { kind: "Deployment", namespace }, { signal })) {
    for (const deployment of items) {
      const packageId = await packageOf(cluster, deployment, signal);
      if (packageId !== undefined) found.push({ deployment, packageId });
    }
  }
  return found;
}

async function packageOf(cluster: Cluster, { metadata, spec }: V1Deployment, signal: AbortSignal) {
  const containers = spec?.template.spec?.containers ?? [];
  // Only containers whose `env` names a variable: else the ConfigMaps of every Deployment in the cluster would be read.
  const named = containers.find(({ env }) => env?.some(({ name }) => variables.some((variable) => variable === name)));
  if (!named) return undefined;
  const namespace = metadata?.namespace;
  const environment = await podEnvironment(named, metadata, async (name) => {
    return (await get(cluster, { kind: "ConfigMap", namespace, name }, signal).catch(() => undefined))?.data;
  });
  const said = variables.map((name) => environment.value(name)).find((value) => value);
  return said ?? null;
}

type JudgedServer = Finding & { readonly deployment: V1Deployment };

async function judgeServer(
  context: ServiceContext,
  { deployment, packageId }: ChaincodeServer,
  age: AgeLimit,
  signal: AbortSignal,
): Promise<JudgedServer> {
  const { metadata } = deployment;
  const organization = ownOrganization(deployment);
  const peers = context.peers.filter((peer) => concerns(organization, peer));
  const facts = await Promise.all(peers.map((peer) => context.facts.of(peer, signal)));
  const all = context.everywhere || organization !== undefined;
  const since = metadata?.creationTimestamp;
  return {
    deployment,
    source: "service",
    kind: "Deployment",
    place: `namespace ${metadata?.namespace}`,
    name: metadata?.name ?? "",
    id: metadata?.uid,
    since,
    packageId: packageId ?? undefined,
    ...judgeServerBy(packageId, facts, { all, ours: organization !== undefined }, since, age),
  };
}

/** The organization of an object of ours, whose peers alone use it; undefined for other objects. */
function ownOrganization({ metadata }: KubernetesObject): OwnOrganization | undefined {
  const labels = metadata?.labels ?? {};
  const [[name, value]] = Object.entries(managedBy) as [[string, string]];
  if (labels[name] !== value || labels[organizationLabel] === undefined) return undefined;
  return { network: labels[networkLabel], organization: labels[organizationLabel] };
}

interface OwnOrganization {
  readonly network: string | undefined;
  readonly organization: string;
}

const concerns = (
  own: OwnOrganization | undefined,
  { network, organization }: Pick<PeerPod, "network" | "organization">,
) => own === undefined || (own.network === network && own.organization === organization);

/** Judges a server by the facts of all peers that might connect to it. Pure. */
export function judgeServerBy(
  packageId: string | null,
  facts: readonly PeerFacts[],
  { all, ours }: { readonly all: boolean; readonly ours: boolean },
  since: Date | undefined,
  age: AgeLimit,
): Judgement {
  if (packageId === null || !/^[^:]+:[0-9a-f]{64}$/.test(packageId)) {
    return { verdict: "kept", because: "it does not say a package ID that can be read" };
  }
  const judgements = facts.map((known) => judgePackage(packageId, known, since, age));
  const [superseded] = inOrder(
    judgements.filter((_, index) => stateOf(facts[index], packageId) === "superseded"),
    ({ because }) => because,
  );
  const verdict = agreed(judgements, nobody);
  if (verdict.verdict !== "orphan") return verdict;
  if (!all) return { verdict: "kept", because: "peers in namespaces that you may not read may use it" };
  if (superseded) return superseded;
  // A package that no peer here has may be one of a peer in another cluster.
  return ours ? verdict : { verdict: "kept", because: "no peer seen here ever had its package" };
}

const nobody = "no peer is seen here that could use it";

function stateOf(facts: PeerFacts | undefined, packageId: string): string | undefined {
  return facts?.known ? facts.packages.get(packageId)?.state : undefined;
}

/** The servers, and the Services that lead to them. A server is needed, too, when a needed package leads to its Service. */
async function withServices(
  context: ServiceContext,
  servers: readonly JudgedServer[],
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const spaces = Map.groupBy(servers, ({ deployment }) => deployment.metadata?.namespace ?? "");
  const dialled = await dialledAddresses(context, signal);
  const findings = await Promise.all(
    [...spaces].map(async ([namespace, within]) => {
      const services: V1Service[] = [];
      for await (const { items } of listPages(context.cluster, { kind: "Service", namespace }, { signal })) {
        services.push(...items.filter((service) => within.some(({ deployment }) => selects(service, deployment))));
      }
      const judged = await Promise.all(
        services.map(async (service) =>
          judgeService(service, within, dialled, await strangers(context, service, within, signal)),
        ),
      );
      return [...within.map((server) => withoutDeployment(server, judged)), ...judged.map(({ finding }) => finding)];
    }),
  );
  return findings.flat();
}

interface JudgedService {
  readonly service: V1Service;
  readonly finding: Finding;
}

/** The addresses in connection.json of installed packages, except superseded ones. */
export interface Dialled {
  /** "service.namespace", with "*" for what each peer fills in -> the package with this address. */
  readonly packages: ReadonlyMap<string, string>;
  /** Peers whose packages could not be read. */
  readonly unreadable: readonly (Pick<PeerPod, "network" | "organization"> & { readonly because: string })[];
}

/** Judges a Service by the packages and the servers that it connects. Pure. */
export function judgeService(
  service: V1Service,
  servers: readonly (Finding & { readonly deployment: V1Deployment })[],
  dialled: Dialled,
  stranger: string | undefined,
): JudgedService {
  const { name = "", namespace = "", uid, creationTimestamp } = service.metadata ?? {};
  const behind = inOrder(
    servers.filter(({ deployment }) => selects(service, deployment)),
    ({ name: server }) => server,
  );
  const thing = { source: "service", kind: "Service", place: `namespace ${namespace}`, name, id: uid } as const;
  const judged = (judgement: Judgement) => ({ service, finding: { ...thing, since: creationTimestamp, ...judgement } });
  const own = ownOrganization(service);
  const [doubt] = inOrder(
    dialled.unreadable.filter((peer) => concerns(own, peer)),
    ({ because }) => because,
  );
  const [dialler] = inOrder(
    [...dialled.packages].flatMap(([address, id]) => (isLike(`${name}.${namespace}`, address) ? [id] : [])),
    (id) => id,
  );
  if (dialler !== undefined) return judged({ verdict: "needed", because: `package ${dialler} leads to it` });
  if (doubt) return judged({ verdict: "kept", because: doubt.because });
  if (stranger !== undefined) return judged({ verdict: "kept", because: `it also leads to ${stranger}` });
  const stays = behind.find(({ verdict }) => verdict !== "orphan");
  if (stays) return judged({ verdict: stays.verdict, because: `it leads to Deployment ${stays.name}` });
  return judged({
    verdict: "orphan",
    because: `it leads only to Deployment ${behind.map((one) => one.name).join(", ")}, an orphan`,
  });
}

function withoutDeployment({ deployment, ...server }: JudgedServer, services: readonly JudgedService[]): Finding {
  const [needing] = inOrder(
    services.filter(
      ({ service, finding }) =>
        finding.verdict === "needed" && server.verdict === "orphan" && selects(service, deployment),
    ),
    ({ finding }) => finding.name,
  );
  if (!needing) return server;
  return {
    ...server,
    verdict: "needed",
    because: `Service ${needing.finding.name} leads to it: ${needing.finding.because}`,
  };
}

/** Whether a Service leads to a Deployment's Pods. */
function selects({ metadata, spec }: V1Service, { metadata: other, spec: deployment }: V1Deployment): boolean {
  const wanted = Object.entries(spec?.selector ?? {});
  const labels = deployment?.template.metadata?.labels ?? {};
  if (wanted.length === 0 || metadata?.namespace !== other?.namespace) return false;
  return wanted.every(([name, value]) => labels[name] === value);
}

/** A Pod of the Service that belongs to none of the servers. */
async function strangers(
  { cluster }: ServiceContext,
  { metadata, spec }: V1Service,
  servers: readonly JudgedServer[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const labels = spec?.selector ?? {};
  const pods = await list(cluster, { kind: "Pod", namespace: metadata?.namespace, labels }, signal);
  const [stranger] = inOrder(
    pods.filter((pod) => !servers.some(({ deployment }) => runs(deployment, pod))),
    (pod) => pod.metadata?.name ?? "",
  );
  return stranger && `Pod ${stranger.metadata?.name}`;
}

function runs({ spec }: V1Deployment, { metadata }: V1Pod): boolean {
  const wanted = Object.entries(spec?.selector.matchLabels ?? {});
  return wanted.length > 0 && wanted.every(([name, value]) => metadata?.labels?.[name] === value);
}

/** The addresses of all peers' packages. A peer or package that cannot be read may have any address. */
async function dialledAddresses({ peers, facts }: ServiceContext, signal: AbortSignal): Promise<Dialled> {
  const packages = new Map<string, string>();
  const unreadable: Dialled["unreadable"][number][] = [];
  const read = new Set<string>();
  for (const peer of peers) {
    const { network, organization } = peer;
    const known = await facts.of(peer, signal);
    if (!known.known) unreadable.push({ network, organization, because: known.because });
    else {
      for (const [packageId, { state }] of known.packages) {
        if (state === "superseded" || read.has(packageId)) continue;
        try {
          // Undefined: approved, and not installed on this peer.
          const bytes = await facts.package(peer, packageId, signal);
          if (!bytes) continue;
          read.add(packageId);
          const address = await connectionAddress(await readChaincodePackage(bytes));
          if (address !== undefined) lead(packages, hostKey(address, peer.namespace), packageId);
        } catch (error) {
          if (signal.aborted) throw error;
          const because = `package ${packageId} of ${peer.name} cannot be read: ${messageOf(error)}`;
          unreadable.push({ network, organization, because });
        }
      }
    }
  }
  return { packages, unreadable };
}

/** Of several packages with the same address, keeps the first by its ID. */
function lead(packages: Map<string, string>, address: string, packageId: string): void {
  const before = packages.get(address);
  if (before === undefined || packageId < before) packages.set(address, packageId);
}

/**
 * "asset.org1" for the address "asset.org1.svc:9999"; an address without namespace is in the given one. "asset-*.org1" for
 * "asset-{{.peername}}.org1:9999": each peer fills in its own values (ccaas_builder/cmd/build), which at the end may name a namespace.
 */
export function hostKey(address: string, namespace: string): string {
  const [from, to] = [address.indexOf("{{"), address.lastIndexOf("}}")];
  // What stands between two templates may depend on them.
  const filled = from < 0 || to < from ? address : `${address.slice(0, from)}*${address.slice(to + 2)}`;
  const host = filled.replace(/:(\d+|\*)$/, "");
  const [service = "", where = namespace] = host.split(".");
  return host === service && host.endsWith("*") ? host : `${service}.${where}`;
}
