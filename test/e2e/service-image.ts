import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Kubectl } from "../sandbox/kubectl.ts";
import { sandboxLoad } from "../sandbox/sandbox.ts";

/** What a peer's daemon has built for a chaincode becomes an image of the cluster, which would pull it from a registry elsewhere. */
export async function publish(
  kubectl: Kubectl,
  { namespace, chaincode, image }: { readonly namespace: string; readonly chaincode: string; readonly image: string },
): Promise<void> {
  const inDaemon = ["-n", namespace, "exec", "peer0-0", "-c", "kubectl-fabric-dind", "--", "docker"];
  const docker = async (...args: string[]) => (await kubectl([...inDaemon, ...args])).trim();
  const folder = await mkdtemp(join(tmpdir(), "service-image-"));
  try {
    const archive = join(folder, "image.tar");
    // Of the image alone: the container has the peer's keys and settings, too.
    const container = await docker("ps", "--all", "--quiet", "--filter", `name=-${chaincode}-`);
    const fresh = await docker("create", await docker("inspect", "--format", "{{.Image}}", container));
    await docker("commit", "--change", "WORKDIR /usr/local/src", fresh, image);
    await docker("rm", fresh);
    const child = kubectl.start([...inDaemon, "save", image]);
    if (!child.stdout) throw new Error("expected kubectl to have an output");
    const exited = once(child, "exit");
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => void (said += chunk.toString()));
    await pipeline(child.stdout, createWriteStream(archive));
    const [code] = (await exited) as [number | null];
    if (code !== 0) throw new Error(`docker save ${image} ended with ${code}: ${said}`);
    await docker("rmi", image);
    await sandboxLoad(archive);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
