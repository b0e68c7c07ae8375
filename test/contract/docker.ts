import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { newProcess, type NodeProcess } from "../integration/emulator/network/processes.ts";
import { newLayout } from "../sandbox/layout.ts";
import { buildPrograms, goBuilds, programsOf } from "../sandbox/programs.ts";
import { silent } from "../sandbox/progress.ts";
import { sandboxImage } from "../sandbox/sandbox.ts";
import { endRemains } from "./remains.ts";

const run = promisify(execFile);

/** What builds and runs chaincode for the peers of these tests alone, with all that Node chaincode is built with. */
export interface ChaincodeHost {
  /** Path of its socket, which speaks the Docker Engine API. */
  readonly socket: string;
  stop(): Promise<void>;
}

/** A Docker daemon of these tests alone, which has the image that Node chaincode is built with. */
export interface DockerDaemon extends ChaincodeHost {
  /** As CORE_VM_ENDPOINT. */
  readonly endpoint: string;
  /** PATH with its client. */
  readonly path: string;
  /** Where its client finds itself and the daemon. */
  readonly environment: Readonly<Record<string, string>>;
  readonly process: NodeProcess;
  /** Runs a command of its client. */
  readonly docker: (...args: readonly string[]) => Promise<string>;
}

/** Why there can be none here. */
export const noDocker: string | undefined =
  process.platform === "linux" && process.getuid?.() === 0 ? undefined : "Docker needs Linux and root";

interface DockerOptions {
  /** Arguments of dockerd. */
  readonly further?: readonly string[];
  /** Stops builds that may be needed before. */
  readonly signal?: AbortSignal;
}

/** Starts the daemon that the sandbox builds, without a network of its own. One that cannot start leaves nothing. */
export async function startDocker({ further = [], signal }: DockerOptions = {}): Promise<DockerDaemon> {
  const layout = newLayout();
  await buildPrograms("docker", layout, silent, signal);
  await buildPrograms("containerd", layout, silent, signal);
  const archive = await sandboxImage("fabric-nodeenv", { signal });
  const programs = [goBuilds.docker, goBuilds.containerd].map((build) => programsOf(build, layout));
  const path = [...programs, process.env["PATH"] ?? ""].join(":");
  const [program = ""] = programs;
  await using starting = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "contract-docker-"));
  starting.defer(() => rm(folder, { recursive: true, force: true }));
  const endpoint = `unix://${folder}/docker.sock`;
  const directories = ["--data-root", `${folder}/data`, "--exec-root", `${folder}/exec`, "--pidfile", `${folder}/pid`];
  const network = ["--bridge", "none", "--iptables=false", "--ip6tables=false", "--userland-proxy=false"];
  const daemon = newProcess(
    [join(program, "dockerd"), "--host", endpoint, ...directories, ...network, ...further],
    { PATH: path },
    /API listen on/,
  );
  const docker = async (...args: readonly string[]): Promise<string> => {
    const options = { env: { PATH: path }, maxBuffer: 1 << 26 };
    return (await run(join(program, "docker"), ["-H", endpoint, ...args], options)).stdout.trim();
  };
  // Where the daemon was killed: shims, what runs in containers, mounts of namespaces and root file systems.
  starting.defer(() => endRemains(folder));
  starting.defer(() => daemon.stop());
  await daemon.start();
  starting.defer(() => removeContainers(docker));
  await docker("load", "--quiet", "--input", archive);
  const started = starting.move();
  return {
    endpoint,
    path,
    environment: { PATH: path, DOCKER_HOST: endpoint },
    docker,
    process: daemon,
    socket: `${folder}/docker.sock`,
    stop: () => started.disposeAsync(),
  };
}

async function removeContainers(docker: DockerDaemon["docker"]): Promise<void> {
  try {
    const ids = (await docker("ps", "--all", "--quiet")).split("\n").filter((id) => id !== "");
    if (ids.length > 0) await docker("rm", "--force", ...ids);
  } catch {
    // A daemon that does not answer: what its containers leave is removed without it.
  }
}
