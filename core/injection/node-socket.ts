import { posix } from "node:path";
import type { V1Volume } from "@kubernetes/client-node";
import { below, withoutEndSlashes } from "./mount-path.ts";

/**
 * Whether a volume brings in the node's Docker socket: the file, or the directory that holds it. The volume's source decides;
 * mount paths and URLs tell nothing, for /var/run/docker.sock may well be an emptyDir shared with a daemon in the Pod.
 */
export function isNodeSocket({ hostPath }: V1Volume): boolean {
  if (hostPath === null || hostPath === undefined) return false;
  const path = resolved(hostPath.path);
  return path === "/var/run" || path === "/run" || path.endsWith("/docker.sock");
}

/**
 * Directories that hold sockets of the node's container runtimes, and those of daemons in other Pods (emptyDirs below the kubelet's
 * directory): whoever reaches one starts privileged containers.
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

/** Whether a volume leads to such a socket: it is one, lies among them, or holds them somewhere below. */
export function reachesRuntime({ hostPath }: V1Volume): boolean {
  if (hostPath === null || hostPath === undefined) return false;
  const path = resolved(hostPath.path).replace(/^\/var\/run(?=\/|$)/, "/run");
  const holds = runtimePlaces.some((place) => below(path, place) !== undefined || below(place, path) !== undefined);
  return holds || runtimeSockets.test(path);
}

/** As the kernel walks it: "//var/./run/" is "/var/run". */
function resolved(path: string): string {
  const normal = posix.normalize(path);
  return normal === "/" ? normal : withoutEndSlashes(normal);
}
