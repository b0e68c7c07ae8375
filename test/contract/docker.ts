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
  docker(...args: readonly string[]): Promise<string>;
}

/** Why there can be none here. */
export const noDocker: string | undefined =
  process.platform === "linux" && process.getuid?.() === 0 ? undefined : "Docker needs Linux and root";

/** Starts the daemon that the sandbox builds, without a network of its own; `further` are arguments of dockerd. */
export async function startDocker(further: readonly string[] = []): Promise<DockerDaemon> {
  const layout = newLayout();
  await buildPrograms("docker", layout, silent);
  await buildPrograms("containerd", layout, silent);
  const archive = await sandboxImage("fabric-nodeenv");
  const programs = [goBuilds.docker, goBuilds.containerd].map((build) => programsOf(build, layout));
  const path = [...programs, process.env["PATH"] ?? ""].join(":");
  const folder = await mkdtemp(join(tmpdir(), "contract-docker-"));
  const endpoint = `unix://${folder}/docker.sock`;
  const directories = ["--data-root", `${folder}/data`, "--exec-root", `${folder}/exec`, "--pidfile", `${folder}/pid`];
  const network = ["--bridge", "none", "--iptables=false", "--ip6tables=false", "--userland-proxy=false"];
  const [program = ""] = programs;
  const daemon = newProcess(
    [join(program, "dockerd"), "--host", endpoint, ...directories, ...network, ...further],
    { PATH: path },
    /API listen on/,
  );
  await daemon.start();
  const docker = async (...args: readonly string[]): Promise<string> => {
    const options = { env: { PATH: path }, maxBuffer: 1 << 26 };
    return (await run(join(program, "docker"), ["-H", endpoint, ...args], options)).stdout.trim();
  };
  await docker("load", "--quiet", "--input", archive);
  return {
    endpoint,
    path,
    environment: { PATH: path, DOCKER_HOST: endpoint },
    docker,
    process: daemon,
    socket: `${folder}/docker.sock`,
    stop: async () => {
      const containers = (await docker("ps", "--all", "--quiet")).split("\n").filter((id) => id !== "");
      await Promise.all(containers.map((id) => docker("rm", "--force", id)));
      await daemon.stop();
      // Of the containers that use the machine's network.
      await run("umount", [`${folder}/exec/netns/default`]).catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
