import { FabricError, messageOf } from "../plugin/error.ts";
import { run } from "./sandbox/command.ts";

type Kubectl = (args: readonly string[], options: { readonly signal: AbortSignal }) => Promise<string>;

/** Throws where a cluster that is not ours has something of what the tests and the demo make there, and remove at their end. */
export async function requireFreshCluster(
  context: string,
  signal: AbortSignal,
  kubectl: Kubectl = (args, options) => run("kubectl", args, options),
): Promise<void> {
  const get = (...what: readonly string[]) =>
    kubectl(["--context", context, "get", "--ignore-not-found", "-o", "name", ...what], { signal });
  const ours = ["namespace/kubectl-fabric-system", "mutatingwebhookconfiguration/kubectl-fabric-webhook"];
  const found = [
    await get(...ours, "namespace/legacy").catch((cause: unknown) => {
      if (cause instanceof FabricError && cause.code === "interrupted") throw cause;
      throw new FabricError("cluster-unreachable", `expected an answer of ${context}; ${messageOf(cause)}`, {
        hint: "kubectl config get-contexts; then --context with one that answers",
        cause,
      });
    }),
    await get("configmap", "--all-namespaces", "--field-selector", "metadata.name=fabric-network"),
  ];
  const names = found.flatMap((text) => text.split("\n")).filter((name) => name !== "");
  if (names.length === 0) return;
  throw new FabricError("conflict", `expected a cluster without kubectl-fabric, found ${names.join(", ")}`, {
    hint: "another --context; or remove what is there: kubectl fabric down; kubectl fabric webhook uninstall",
  });
}
