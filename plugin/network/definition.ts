import { FabricError } from "../error.ts";
import type { Cluster } from "../kube/cluster.ts";
import { list } from "../kube/objects.ts";
import { managedBy } from "./labels.ts";
import { networkConfigMapKey, networkConfigMapName } from "./namespace.ts";
import { parseYaml } from "./spec-file.ts";
import { networkFromOptions, removals, type FabricNetwork, type NetworkOptions, parseNetwork } from "./spec.ts";

/**
 * The networks of a cluster, by name. Whoever may not look into every namespace sees those that have an organization in
 * the context's own.
 */
export async function findNetworks(cluster: Cluster, signal: AbortSignal): Promise<ReadonlyMap<string, FabricNetwork>> {
  const selection = { kind: "ConfigMap", labels: managedBy, fields: `metadata.name=${networkConfigMapName}` } as const;
  const found = await list(cluster, selection, signal).catch((error: unknown) => {
    if (!(error instanceof FabricError) || error.code !== "forbidden") throw error;
    return list(cluster, { ...selection, namespace: cluster.namespace }, signal);
  });
  const networks = found.map(({ metadata, data }) => {
    const source = `ConfigMap ${metadata?.namespace}/${networkConfigMapName}`;
    return parseNetwork(parseYaml(data?.[networkConfigMapKey] ?? "", source), source);
  });
  return new Map(networks.map((network) => [network.metadata.name, network]));
}

/** The network that a command is about: the named one, or the only one. Throws `not-found` without any, `usage` when another one has to be named. */
export async function findNetwork(
  cluster: Cluster,
  name: string | undefined,
  signal: AbortSignal,
): Promise<FabricNetwork> {
  const networks = await findNetworks(cluster, signal);
  const names = [...networks.keys()];
  if (name === undefined && names.length > 1) {
    throw new FabricError("usage", `expected one network, found ${names.join(", ")}`, {
      hint: `choose one with --network, for example --network ${names[0]}`,
    });
  }
  const network = networks.get(name ?? names[0] ?? "");
  if (network) return network;
  const wanted = name === undefined ? "a Fabric network" : `the Fabric network ${name}`;
  throw new FabricError(
    name === undefined ? "not-found" : "usage",
    `expected ${wanted} in context ${cluster.context}, found ${names.join(", ") || "none"}`,
    {
      hint: "kubectl fabric init makes one; --context chooses another cluster",
    },
  );
}

/**
 * What `init` is to bring about: a whole definition from a file, or options on top of the existing network.
 * Throws `usage` when that would take a node away.
 */
export async function definitionFor(
  cluster: Cluster,
  wanted: FabricNetwork | NetworkOptions,
  signal: AbortSignal,
): Promise<FabricNetwork> {
  const networks = await findNetworks(cluster, signal);
  const name =
    "spec" in wanted
      ? wanted.metadata.name
      : (wanted.name ?? (networks.size === 1 ? [...networks.keys()][0] : undefined));
  const existing = networks.get(name ?? "fabric");
  const network = "spec" in wanted ? wanted : networkFromOptions({ ...wanted, name }, existing);
  const lost = existing ? removals(existing, network) : [];
  if (lost.length > 0) {
    throw new FabricError(
      "usage",
      `network ${network.metadata.name} has ${lost.join(", ")}, which the new definition lacks`,
      {
        hint: "init adds and changes, it never removes; kubectl fabric down deletes a network",
      },
    );
  }
  return network;
}
