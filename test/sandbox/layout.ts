import { homedir } from "node:os";
import { join } from "node:path";

/** Where the sandbox keeps its things. Only `cache` itself outlives `down`, without `state` and `run`. */
export interface Layout {
  readonly cache: string;
  /** Programs built from Go modules. */
  readonly bin: string;
  /** Logs of builds. */
  readonly builds: string;
  /** Root file system layers that images are made of. */
  readonly layers: string;
  /** Images as docker-archive files. */
  readonly images: string;
  /** Unfinished things of the command that runs: removed by the next one. */
  readonly work: string;
  /** containerd's content and snapshots: loaded images stay loaded. */
  readonly containerd: string;
  /** One cluster's life: keys, etcd, logs, volumes. */
  readonly state: string;
  readonly logs: string;
  readonly volumes: string;
  readonly kubeconfig: string;
  /** Sockets, mounts and the state of running containers. */
  readonly run: string;
  readonly containerdSocket: string;
}

export function newLayout(environment: NodeJS.ProcessEnv = process.env): Layout {
  const cache = environment["SANDBOX_CACHE"] || join(homedir(), ".cache", "kubectl-fabric-sandbox");
  const state = join(cache, "state");
  const run = "/run/kubectl-fabric-sandbox";
  return {
    cache,
    bin: join(cache, "bin"),
    builds: join(cache, "builds"),
    layers: join(cache, "layers"),
    images: join(cache, "images"),
    work: join(cache, "work"),
    containerd: join(cache, "containerd"),
    state,
    logs: join(state, "log"),
    volumes: join(state, "volumes"),
    kubeconfig: join(state, "admin.kubeconfig"),
    run,
    containerdSocket: join(run, "containerd.sock"),
  };
}
