import { execFileSync } from "node:child_process";
import { join } from "node:path";

const sources = join(import.meta.dirname, "../peers");

/** Builds the Go webhooks that ours is measured against, and the load. Gives the directory of the programs. */
export function buildPeers(): string {
  const directory = join(import.meta.dirname, "../../../node_modules/.cache/kubectl-fabric-bench/");
  const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly -buildvcs=false" };
  execFileSync("go", ["build", "-trimpath", "-ldflags=-s -w", "-o", directory, "./..."], {
    cwd: sources,
    env,
    stdio: ["ignore", "inherit", "inherit"],
  });
  return directory;
}
