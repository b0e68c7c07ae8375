import { isDeepStrictEqual } from "node:util";
import type { ProfileName } from "../../injection/profile.ts";
import { FabricError } from "../../error.ts";
import { joined, type Remedy } from "../../remedy.ts";
import { ifAllowed } from "../../kubernetes/allowed.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { get, list } from "../../kubernetes/objects.ts";
import { eventually } from "../../engine/eventually.ts";
import { agreedDefinition, countedCopies, type Copies } from "./copies.ts";
import { managedBy } from "../../kubernetes/ownership.ts";
import { networkConfigMapName } from "./namespace.ts";
import { networkFor, type NetworkRequest } from "./network-request.ts";
import { removals } from "./nodes.ts";
import { fabricImage, type FabricNetwork } from "./spec.ts";

/** Told what was passed over. */
/** `hint`: what to do about it. */
export type Notice = (line: string, hint?: Remedy) => void;

/**
 * The networks of a cluster, by name. A user who may not list all namespaces gets those with an organization in the context's own
 * namespace.
 */
export async function findNetworks(cluster: Cluster, notice: Notice, signal: AbortSignal): Promise<Copies["networks"]> {
  return (await findCopies(cluster, notice, signal)).networks;
}

async function findCopies(cluster: Cluster, notice: Notice, signal: AbortSignal): Promise<Copies> {
  const selection = { kind: "ConfigMap", labels: managedBy, fields: `metadata.name=${networkConfigMapName}` } as const;
  const found = await ifAllowed(list(cluster, selection, signal));
  const own = () => list(cluster, { ...selection, namespace: cluster.namespace }, signal);
  const configMaps = found ?? (await own().catch(ownNamespaceAnother(cluster)));
  const places = configMaps.flatMap(({ metadata }) => metadata?.namespace ?? []);
  const copies = countedCopies(configMaps, await namespaceLabels(cluster, places, signal));
  for (const line of copies.passedOver) notice(line);
  return copies;
}

/** The hint for a user with rights in one organization only: the context has to name its namespace. */
const ownNamespaceAnother =
  ({ context }: Cluster) =>
  (error: unknown): never => {
    if (!(error instanceof FabricError) || error.code !== "forbidden") throw error;
    throw new FabricError("forbidden", error.message, {
      hint: [
        "name the namespace of your organization: ",
        { kubectl: ["config", "set-context", context, "--namespace", "NAMESPACE"] },
      ],
      cause: error,
    });
  };

/** Labels of namespaces. Of those that the user may not read, the context's own is "believed", others are "unseen". */
async function namespaceLabels(
  cluster: Cluster,
  names: readonly string[],
  signal: AbortSignal,
): Promise<(namespace: string) => Readonly<Record<string, string>> | "unseen" | "believed"> {
  if (names.length === 0) return () => "unseen";
  const all = await ifAllowed(list(cluster, { kind: "Namespace", labels: managedBy }, signal));
  const seen =
    all ?? (await Promise.all(names.map((name) => ifAllowed(get(cluster, { kind: "Namespace", name }, signal)))));
  const labels = new Map(
    seen.flatMap((namespace) =>
      namespace ? [[namespace.metadata?.name ?? "", namespace.metadata?.labels ?? {}]] : [],
    ),
  );
  const unlisted = (name: string) => (name === cluster.namespace ? "believed" : "unseen");
  return (name) => labels.get(name) ?? (all === undefined ? unlisted(name) : {});
}

/** The networks whose copies agree. For each other one, a notice says why it is left out. */
export async function agreedNetworks(
  cluster: Cluster,
  notice: Notice,
  signal: AbortSignal,
): Promise<readonly FabricNetwork[]> {
  return [...(await findNetworks(cluster, notice, signal))].flatMap(([name, copies]) => {
    try {
      return [agreedDefinition(name, copies)];
    } catch (error) {
      if (!(error instanceof FabricError)) throw error;
      notice(`network ${name} is left out: ${error.message}`, error.hint);
      return [];
    }
  });
}

/**
 * The network of a command: the named one, or the only one. Throws `not-found` when there is none, `usage` when there is none of the name,
 * or none is named of several; `conflict` when its copies differ or cannot be read.
 */
export async function findNetwork(
  cluster: Cluster,
  name: string | undefined,
  notice: Notice,
  signal: AbortSignal,
): Promise<FabricNetwork> {
  const told = new Set<string>();
  const once: Notice = (line) => {
    if (!told.has(line)) notice(line);
    told.add(line);
  };
  // Copies may differ while an `init` is writing them.
  const choose = async () => chosenNetwork(cluster, await findCopies(cluster, once, signal), name);
  return eventually(choose, { signal, within: 2000, retry: ["conflict"] });
}

function chosenNetwork(cluster: Cluster, { networks, unread }: Copies, name: string | undefined): FabricNetwork {
  const names = [...networks.keys()];
  if (name === undefined && names.length > 1)
    throw several(names, ["for example ", { setting: "network", to: names[0] ?? "" }]);
  const chosen = name ?? names[0] ?? "";
  const copies = networks.get(chosen);
  if (copies) return agreedDefinition(chosen, copies);
  const lost = [...unread].find((one) => name === undefined || one === name);
  if (lost !== undefined) throw notRead(lost);
  const wanted = name === undefined ? "a Fabric network" : `the Fabric network ${name}`;
  throw new FabricError(
    name === undefined ? "not-found" : "usage",
    `expected ${wanted} in context ${cluster.context}, found ${names.join(", ") || "none"}`,
    {
      hint: [{ operation: "init" }, " makes one; ", { setting: "context" }, " chooses another cluster"],
    },
  );
}

function several(names: readonly string[], choice: Remedy): FabricError {
  return new FabricError("usage", `expected one network, found ${names.join(", ")}`, {
    hint: joined(["choose one with ", { setting: "network" }, ", ", choice]),
  });
}

/**
 * The definition that `init` has to make real: from a file as a whole, or the existing network changed by options. Throws `usage` when it
 * would remove a node, weaken the peers' isolation by leaving it out, or could mean several networks; `conflict` when the existing
 * definition cannot be read, or its copies differ in a part that is not given now. So an `init` that was stopped while it wrote the copies
 * goes on when it is typed again.
 */
export async function definitionFor(
  cluster: Cluster,
  wanted: FabricNetwork | NetworkRequest,
  notice: Notice,
  signal: AbortSignal,
): Promise<FabricNetwork> {
  const { networks, unread } = await findCopies(cluster, notice, signal);
  const known = [...new Set([...networks.keys(), ...unread])];
  const asked = "spec" in wanted ? wanted.metadata.name : wanted.name;
  if (asked === undefined && known.length > 1) throw several(known, "or give a new name for another one");
  const name = asked ?? known[0] ?? "fabric";
  const copies = networks.get(name) ?? [];
  // Options change the existing definition, which cannot be read.
  if (!("spec" in wanted) && copies.length === 0 && unread.has(name)) throw notRead(name);
  const definitionOn = (existing: FabricNetwork | undefined): FabricNetwork =>
    "spec" in wanted ? wanted : networkFor({ ...wanted, name }, existing);
  const [first] = copies;
  const network = definitionOn(first?.definition);
  if (!copies.every(({ definition }) => isDeepStrictEqual(definitionOn(definition), network))) {
    agreedDefinition(name, copies);
  }
  const lost = new Set(copies.flatMap(({ definition }) => removals(definition, network)));
  if (lost.size > 0) {
    agreedDefinition(name, copies); // one copy alone may claim nodes that never were
    throw new FabricError(
      "usage",
      `network ${network.metadata.name} has ${[...lost].join(", ")}, which the new definition lacks`,
      {
        hint: ["init adds and changes, it never removes; ", { operation: "down" }, " deletes a network"],
      },
    );
  }
  if (first) noteStorageClass(first.definition, network, notice);
  if (!("spec" in wanted)) noteImages(wanted, network, notice);
  else for (const line of new Set(copies.flatMap(({ definition }) => changesByFile(definition, network)))) notice(line);
  return network;
}

function notRead(name: string): FabricError {
  return new FabricError("conflict", `network ${name} is there, but no copy of its definition can be read`, {
    hint: [
      "use the kubectl-fabric that wrote it, which may be a later one; or give the whole definition: ",
      { operation: "init", with: { file: "FILE" } },
    ],
  });
}

/** The profile with the least isolation. Without a profile in the definition, the webhook's settings decide. */
const weakest: ProfileName = "privileged";

/** Notices about changes by a file. Throws `usage` when it lacks the profile of an isolated network: a file is the whole definition. */
function changesByFile({ spec: before }: FabricNetwork, { metadata, spec }: FabricNetwork): readonly string[] {
  const [one = "the webhook's default", other = "the webhook's default"] = [before.profile, spec.profile];
  if (spec.profile === undefined && (before.profile ?? weakest) !== weakest) {
    throw new FabricError("usage", `network ${metadata.name} has the profile ${one}, of which the file says nothing`, {
      hint: `add it to the file, below spec: profile: ${one}; or profile: ${weakest}, if that is meant`,
    });
  }
  const profile = one === other ? [] : [`profile changes from ${one} to ${other}`];
  const images = (["peer", "orderer"] as const).map((component) => {
    const [image, wanted] = [before.images[component], spec.images[component]];
    return image === wanted ? [] : [`images.${component} changes from ${image} to ${wanted}`];
  });
  return [...profile, ...images.flat()];
}

function noteStorageClass(existing: FabricNetwork, { spec: { storage } }: FabricNetwork, notice: Notice): void {
  if (storage.className === existing.spec.storage.className) return;
  const wanted = storage.className ?? "the cluster's default";
  notice(`storage class ${wanted} is for claims that have no volume yet; those that have one keep theirs`);
}

/** Notices about images that were set by themselves, and which a new version does not change. */
function noteImages(asked: NetworkRequest, { spec: { images, fabricVersion } }: FabricNetwork, notice: Notice): void {
  if (asked.fabricVersion === undefined) return;
  const named = { peer: asked.peerImage, orderer: asked.ordererImage };
  for (const component of ["peer", "orderer"] as const) {
    const [image, usual] = [images[component], fabricImage(component, fabricVersion)];
    if (named[component] !== undefined || image === usual) continue;
    notice(`images.${component} of the definition stays ${image}; the version's own: --${component}-image ${usual}`);
  }
}
