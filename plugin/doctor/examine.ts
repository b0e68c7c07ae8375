import { FabricError } from "../error.ts";
import type { Cluster } from "../kube/cluster.ts";
import { findNetworks } from "../network/definition.ts";
import { clusterFindings } from "./cluster-findings.ts";
import type { Finding } from "./finding.ts";
import { namespaceReport, type NamespaceReport } from "./namespace-findings.ts";
import { readCluster, readNamespace } from "./read-facts.ts";

export interface DoctorReport {
  readonly context: string;
  /** Whether no finding is a problem. */
  readonly healthy: boolean;
  /** Of the cluster first, then of each namespace. */
  readonly findings: readonly Finding[];
  /** What peers can have in each. */
  readonly namespaces: readonly Omit<NamespaceReport, "findings">[];
}

/**
 * Looks at the cluster and at the namespaces: those given, else those of the networks that are there, else the context's own.
 * Changes nothing. Throws only when the cluster cannot be reached, or nobody is logged in.
 */
export async function examine(
  cluster: Cluster,
  given: readonly string[] | undefined,
  network: string | undefined,
  signal: AbortSignal,
): Promise<DoctorReport> {
  const [reading, names] = await Promise.all([
    readCluster(cluster, signal),
    given ?? namespacesOfNetworks(cluster, network, signal),
  ]);
  const reports = await Promise.all(
    [...new Set(names)].map(async (name) =>
      namespaceReport(reading, await readNamespace(cluster, name, reading, signal)),
    ),
  );
  const findings = [...clusterFindings(reading), ...reports.flatMap((report) => report.findings)];
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

/** Orderers get no sidecar: only namespaces of peers count. */
async function namespacesOfNetworks(
  cluster: Cluster,
  wanted: string | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const networks = await findNetworks(cluster, signal).catch((error: unknown) => {
    // A definition that cannot be read, or none that may be: the context's own namespace tells more than nothing.
    if (error instanceof FabricError && ["forbidden", "invalid"].includes(error.code)) return new Map<never, never>();
    throw error;
  });
  const found = [...networks.values()]
    .filter(({ metadata }) => wanted === undefined || metadata.name === wanted)
    .flatMap(({ spec }) => spec.peerOrganizations.map(({ namespace }) => namespace));
  return found.length === 0 ? [cluster.namespace] : found;
}
