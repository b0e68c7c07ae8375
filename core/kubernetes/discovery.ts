import { onceEach } from "../engine/once.ts";
import { FabricError } from "../error.ts";
import type { Cluster } from "./cluster.ts";
import { isNotFound } from "./api-error.ts";
import { knownResources, type Resource } from "./resources.ts";

interface ApiResourceList {
  readonly resources?: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean }[];
}

const discovered = new WeakMap<Cluster, ReturnType<typeof onceEach<readonly Resource[]>>>();

/** The resource of a kind: from our table, else from the API server, which is asked once for each apiVersion. */
export async function findResource(
  cluster: Cluster,
  { kind, apiVersion }: { readonly kind: string; readonly apiVersion?: string | undefined },
  signal?: AbortSignal,
): Promise<Resource> {
  const known = knownResources.get(kind);
  if (known && (apiVersion === undefined || apiVersion === known.apiVersion)) return known;
  if (apiVersion === undefined || kind === "") {
    throw new FabricError("internal", `expected kind and apiVersion of an object, got "${kind}" and "${apiVersion}"`);
  }
  const found = (await resourcesOf(cluster, apiVersion, signal)).find((resource) => resource.kind === kind);
  if (found) return found;
  throw new FabricError("not-found", `expected the cluster to know ${kind} of ${apiVersion}, found no such kind`, {
    hint: { kubectl: ["api-resources", `--api-group=${apiVersion.split("/")[0]}`] },
  });
}

/** Whether the cluster serves a kind. */
export async function servesKind(
  cluster: Cluster,
  kind: string,
  apiVersion: string,
  signal?: AbortSignal,
): Promise<boolean> {
  return (await resourcesOf(cluster, apiVersion, signal)).some((resource) => resource.kind === kind);
}

function resourcesOf(cluster: Cluster, apiVersion: string, signal?: AbortSignal): Promise<readonly Resource[]> {
  const once = discovered.get(cluster) ?? onceEach<readonly Resource[]>();
  discovered.set(cluster, once);
  return once(apiVersion, () => askResources(cluster, apiVersion, signal));
}

async function askResources(cluster: Cluster, apiVersion: string, signal?: AbortSignal): Promise<readonly Resource[]> {
  const path = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  try {
    const { resources = [] } = (await cluster.call({ method: "GET", path, signal })) as ApiResourceList;
    // A name with a slash is a subresource.
    return resources
      .filter(({ name }) => !name.includes("/"))
      .map(({ name, kind, namespaced }) => ({ kind, apiVersion, plural: name, namespaced }));
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}
