import { FabricError, messageOf } from "../core/error.ts";
import { run } from "./sandbox/command.ts";
import { newKubectl } from "./sandbox/kubectl.ts";
import { requireLinuxRoot } from "./sandbox/machine.ts";
import { sandboxStatus } from "./sandbox/sandbox.ts";

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

/** As before the tests of this machine's own sandbox: throws where it cannot be, or where one is up that has networks. */
export async function requireFreshSandbox(): Promise<void> {
  requireLinuxRoot(process.platform, process.getuid?.());
  const { state, binDirectory, kubeconfig } = await sandboxStatus();
  // What one that is not up has left is removed when the tests begin.
  if (state === "up") await requireNoNetwork(newKubectl(binDirectory, kubeconfig));
}

/** One of the networks may be what tests that were killed have left. */
export async function requireNoNetwork(kubectl: (args: readonly string[]) => Promise<string>): Promise<void> {
  const lines = 'jsonpath={range .items[*]}{.metadata.namespace}{"\\n"}{end}';
  const selected = ["--all-namespaces", "--field-selector", "metadata.name=fabric-network"];
  const namespaces = await kubectl(["get", "configmap", ...selected, "-o", lines]);
  const found = namespaces.split("\n").filter((name) => name !== "");
  if (found.length === 0) return;
  throw new FabricError("conflict", `expected a sandbox without networks, found them in ${found.join(", ")}`, {
    hint: "npm run sandbox -- down: the tests bring up one of their own; or kubectl fabric down",
  });
}
