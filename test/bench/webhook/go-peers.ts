import { join } from "node:path";
import { runProgram, type Lifetime } from "../../../build/lifetime.ts";

const sources = join(import.meta.dirname, "../peers");

/** Builds the Go webhooks that ours is measured against, and the load. Gives the directory of the programs. */
export async function buildPeers(lifetime: Lifetime): Promise<string> {
  const directory = join(import.meta.dirname, "../../../node_modules/.cache/kubectl-fabric-bench/");
  const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly -buildvcs=false" };
  await runProgram(lifetime, ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", directory, "./..."], {
    cwd: sources,
    env,
    stdio: ["ignore", "inherit", "inherit"],
  });
  return directory;
}
