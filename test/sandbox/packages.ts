import { FabricError } from "../../core/error.ts";
import { CommandFailure, run } from "./command.ts";
import type { Progress } from "./progress.ts";

/** The Debian packages that the sandbox runs on, and why. */
const neededPackages = {
  "containernetworking-plugins": "each Pod's link to the node",
  runc: "starts containers",
  iptables: "kube-proxy and DinD",
  nftables: "NetworkPolicy",
  mmdebstrap: "images from Debian packages",
  "debian-archive-keyring": "trust in those packages",
} as const;

export function missingPackages(needed: readonly string[], dpkg: string): readonly string[] {
  const installed = new Set(
    dpkg
      .split("\n")
      .filter((line) => line.endsWith("\tinstalled"))
      .map((line) => line.split("\t")[0]),
  );
  return needed.filter((name) => !installed.has(name));
}

/**
 * Installs what is missing; `more` is what is needed besides.
 * Throws `not-found` when this is no Debian or Ubuntu, `connection` when apt-get fails.
 */
export async function installPackages(
  progress: Progress,
  signal?: AbortSignal,
  more: readonly string[] = [],
): Promise<void> {
  const missing = missingPackages([...Object.keys(neededPackages), ...more], await installedPackages(signal));
  if (missing.length === 0) return;
  progress.say(`installing ${missing.join(", ")}`);
  const quiet = { env: { DEBIAN_FRONTEND: "noninteractive" }, signal };
  try {
    await run("apt-get", ["update", "-qq"], quiet);
    await run("apt-get", ["install", "-qq", "-y", "--no-install-recommends", ...missing], quiet);
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    throw new FabricError("connection", `expected apt-get to install ${missing.join(" ")}; ${error.message}`, {
      hint: `apt-get update && apt-get install ${missing.join(" ")}`,
      cause: error,
    });
  }
}

async function installedPackages(signal?: AbortSignal): Promise<string> {
  try {
    return await run("dpkg-query", ["-W", "-f=${Package}\t${db:Status-Status}\n"], { signal });
  } catch (error) {
    throw new FabricError("not-found", "expected Debian or Ubuntu, found no dpkg", {
      hint: "use a Debian or Ubuntu machine, or point KUBECONFIG at another cluster (kind, minikube)",
      cause: error,
    });
  }
}
