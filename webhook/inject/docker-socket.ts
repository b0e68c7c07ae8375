import type { V1Container, V1Pod, V1Volume } from "@kubernetes/client-node";
import { ANNOTATIONS, documentationOf } from "./annotations.ts";
import { Denial, type Warning } from "./outcome.ts";
import type { PeerContainer } from "./peer-container.ts";
import type { DockerSocketPolicy } from "./settings.ts";

/** What becomes of the node's docker.sock: places in the Pod's volumes and in the peer's mounts that go. */
export interface SocketRemoval {
  readonly volumes: readonly number[];
  readonly mounts: readonly number[];
  readonly warnings: readonly Warning[];
}

/**
 * Whether a volume brings in the node's Docker socket: the file, or the directory that holds it. The volume's source decides;
 * mount paths and URLs tell nothing, for /var/run/docker.sock may well be an emptyDir shared with a daemon in the Pod.
 */
export function isNodeSocket({ hostPath }: V1Volume): boolean {
  if (hostPath === null || hostPath === undefined) return false;
  const path = hostPath.path.replace(/\/+/g, "/").replace(/(?<=.)\/$/, "");
  return path === "/var/run" || path === "/run" || path.endsWith("/docker.sock");
}

/** Decides on every node socket of the Pod. @throws Denial under the policy `deny`. */
export function removeNodeSockets(pod: V1Pod, peer: PeerContainer, policy: DockerSocketPolicy): SocketRemoval {
  const volumes = (pod.spec?.volumes ?? []).flatMap((volume, index) =>
    isNodeSocket(volume) ? [{ volume, index }] : [],
  );
  const nothing = { volumes: [], mounts: [], warnings: [] };
  if (volumes.length === 0) return nothing;
  const names = volumes.map(({ volume }) => volume.name);
  if (policy === "deny") throw denied(names);
  if (policy === "keep") return { ...nothing, warnings: [kept(names)] };
  const others = otherContainers(pod, peer).map((container) => ({ container, mounted: mountedOf(container, names) }));
  const shared = new Set(others.flatMap(({ mounted }) => mounted));
  return {
    volumes: volumes.flatMap(({ volume, index }) => (shared.has(volume.name) ? [] : [index])),
    mounts: (peer.container.volumeMounts ?? []).flatMap(({ name }, index) => (names.includes(name) ? [index] : [])),
    warnings: others.flatMap(({ container, mounted }) => (mounted.length === 0 ? [] : [sharedBy(container)])),
  };
}

function otherContainers({ spec }: V1Pod, peer: PeerContainer): readonly V1Container[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? []).filter((_, index) => index !== peer.index)];
}

function mountedOf({ volumeMounts }: V1Container, names: readonly string[]): readonly string[] {
  return (volumeMounts ?? []).map(({ name }) => name).filter((name) => names.includes(name));
}

function denied(volumes: readonly string[]): Denial {
  const key = ANNOTATIONS.dockerSocket;
  const problem = {
    key,
    value: "deny",
    allowed: "no volume of the node's docker.sock",
    documentation: documentationOf(key),
  };
  return new Denial(
    "docker-socket",
    problem,
    `the node's docker.sock is not allowed (${key}: deny): remove the volumes ${volumes.join(", ")}`,
  );
}

function kept(volumes: readonly string[]): Warning {
  return {
    reason: "docker-socket-kept",
    message: `the node's docker.sock stays mounted (volumes ${volumes.join(", ")}): whoever reaches it owns the node`,
  };
}

function sharedBy({ name }: V1Container): Warning {
  return {
    reason: "docker-socket-shared",
    message: `container ${name} still mounts the node's docker.sock; only the peer's mount was removed`,
  };
}
