import { FabricError } from "../error.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { agreedNetworks, type Notice } from "../network/resources/definition.ts";
import type { FabricNetwork } from "../network/resources/spec.ts";
import { clusterFindings } from "./cluster-findings.ts";
import type { Finding } from "./finding.ts";
import { namespaceReport, type NamespaceReport } from "./namespace-findings.ts";
import { nodeFindings } from "./node-findings.ts";
import { readCluster, readNamespace } from "./read-facts.ts";

export interface DoctorReport {
  readonly context: string;
  /** Whether no finding is a problem. */
  readonly healthy: boolean;
  /** In this order: the cluster, each namespace, the networks' nodes. */
  readonly findings: readonly Finding[];
  /** The profiles that peers can have in each namespace. */
  readonly namespaces: readonly Omit<NamespaceReport, "findings">[];
}

/**
 * Examines the cluster, the namespaces (the given ones, else those of the cluster's networks, else the context's own), and the
 * networks' nodes in them. Changes nothing. Throws only when the cluster cannot be reached, the credentials are refused, or the signal
 * is aborted.
 */
export async function examine(
  cluster: Cluster,
  given: readonly string[] | undefined,
  network: string | undefined,
  signal: AbortSignal,
): Promise<DoctorReport> {
  const passedOver: Finding[] = [];
  const notice: Notice = (text, hint) =>
    void passedOver.push({ level: "warning", about: "networks", text, ...(hint === undefined ? {} : { hint }) });
  const [reading, networks] = await Promise.all([
    readCluster(cluster, signal),
    networksToLookAt(cluster, network, notice, signal),
  ]);
  const names = given ?? namespacesOf(cluster, networks);
  const [reports, nodes] = await Promise.all([
    Promise.all(
      [...new Set(names)].map(async (name) =>
        namespaceReport(reading, await readNamespace(cluster, name, reading, signal)),
      ),
    ),
    Promise.all(networks.map((each) => nodeFindings(cluster, each, given, signal))),
  ]);
  const ofNamespaces = reports.flatMap((report) => report.findings);
  const findings = [...clusterFindings(reading), ...passedOver, ...ofNamespaces, ...nodes.flat()];
  return {
    context: cluster.context,
    healthy: findings.every(({ level }) => level !== "problem"),
    findings,
    namespaces: reports.map(({ name, profiles, recommended }) => ({
      name,
      profiles,
      ...(recommended === undefined ? {} : { recommended }),
    })),
  };
}

async function networksToLookAt(
  cluster: Cluster,
  wanted: string | undefined,
  notice: Notice,
  signal: AbortSignal,
): Promise<readonly FabricNetwork[]> {
  const networks = await agreedNetworks(cluster, notice, signal).catch((error: unknown) => {
    // Without the right to read networks, examine the context's own namespace.
    if (error instanceof FabricError && error.code === "forbidden") return [];
    throw error;
  });
  return networks.filter(({ metadata }) => wanted === undefined || metadata.name === wanted);
}

/** Orderers get no sidecar: only namespaces of peers count. */
function namespacesOf(cluster: Cluster, networks: readonly FabricNetwork[]): readonly string[] {
  const found = networks.flatMap(({ spec }) => spec.peerOrganizations.map(({ namespace }) => namespace));
  return found.length === 0 ? [cluster.namespace] : found;
}
