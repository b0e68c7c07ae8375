import { FabricError } from "../plugin/error.ts";

/** Throws where a cluster that is not ours has something of what the tests and the demo make there, and remove at their end. */
export async function requireFreshCluster(kubectl: (args: readonly string[]) => Promise<string>): Promise<void> {
  const get = (...what: readonly string[]) => kubectl(["get", "--ignore-not-found", "-o", "name", ...what]);
  const ours = ["namespace/kubectl-fabric-system", "mutatingwebhookconfiguration/kubectl-fabric-webhook"];
  const found = [
    await get(...ours, "namespace/legacy"),
    await get("configmap", "--all-namespaces", "--field-selector", "metadata.name=fabric-network"),
  ];
  const names = found.flatMap((text) => text.split("\n")).filter((name) => name !== "");
  if (names.length === 0) return;
  throw new FabricError("conflict", `expected a cluster without kubectl-fabric, found ${names.join(", ")}`, {
    hint: "another --context; or remove what is there: kubectl fabric down; kubectl fabric webhook uninstall",
  });
}
