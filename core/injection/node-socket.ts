import { posix } from "node:path";
import type { V1Volume } from "@kubernetes/client-node";
import { below, withoutEndSlashes } from "./mount-path.ts";

/**
 * Whether a volume is the node's Docker socket, or the directory that holds it. Only the volume's source decides, not mount paths
 * and URLs: /var/run/docker.sock may be in an emptyDir that is shared with a daemon in the Pod.
 */
export function isNodeSocket({ hostPath }: V1Volume): boolean {
  if (hostPath === null || hostPath === undefined) return false;
  const path = resolved(hostPath.path);
  return path === "/var/run" || path === "/run" || path.endsWith("/docker.sock");
}

/**
 * Sockets of the node's container runtimes, and directories that hold some, also those of daemons in other Pods (emptyDirs below the
 * kubelet's directory). A process that can reach such a socket can start privileged containers.
 */
const runtimePlaces = [
  "/run/docker.sock",
  "/run/docker",
  "/run/containerd",
  "/run/crio",
  "/run/podman",
  "/run/user",
  "/run/cri-dockerd.sock",
  "/run/dockershim.sock",
  "/run/k3s",
  "/run/k0s",
  "/var/lib/kubelet",
  "/var/snap",
  "/proc",
];
const runtimeSockets = /\/(?:docker|containerd|crio|podman|cri-dockerd|dockershim)\.sock$/;

/** Whether a volume leads to a container runtime's socket: it is one of these places, is below one, or contains one. */
export function reachesRuntime({ hostPath }: V1Volume): boolean {
  if (hostPath === null || hostPath === undefined) return false;
  const path = resolved(hostPath.path).replace(/^\/var\/run(?=\/|$)/, "/run");
  const holds = runtimePlaces.some((place) => below(path, place) !== undefined || below(place, path) !== undefined);
  return holds || runtimeSockets.test(path);
}

/** The path as the kernel resolves it: "//var/./run/" is "/var/run". */
function resolved(path: string): string {
  const normal = posix.normalize(path);
  return normal === "/" ? normal : withoutEndSlashes(normal);
}
