import type { V1Container, V1Pod } from "@kubernetes/client-node";
import { annotationKeys, documentationOf } from "./annotations.ts";
import { isNodeSocket, reachesRuntime } from "./node-socket.ts";
import { Denial, type Warning } from "./outcome.ts";
import type { PeerContainer } from "./peer-container.ts";
import type { DockerSocketPolicy } from "./settings.ts";

/** Indices of the Pod's volumes and of the peer's mounts to remove, because they lead to the node's docker.sock. */
export interface SocketRemoval {
  readonly volumes: readonly number[];
  readonly mounts: readonly number[];
  readonly warnings: readonly Warning[];
}

/** Decides on every node socket of the Pod. Throws Denial when there is one and the policy is `deny`. */
export function removeNodeSockets(pod: V1Pod, peer: PeerContainer, policy: DockerSocketPolicy): SocketRemoval {
  const volumes = (pod.spec?.volumes ?? []).flatMap((volume, index) =>
    isNodeSocket(volume) ? [{ volume, index }] : [],
  );
  const reaching = (pod.spec?.volumes ?? []).filter((volume) => isNodeSocket(volume) || reachesRuntime(volume));
  if (policy === "deny" && reaching.length > 0) throw denied(reaching.map(({ name }) => name));
  const nothing = { volumes: [], mounts: [], warnings: [] };
  const names = volumes.map(({ volume }) => volume.name);
  const staying = policy === "keep" ? reaching : reaching.filter((volume) => !isNodeSocket(volume));
  const warnings = staying.length === 0 ? [] : [kept(staying.map(({ name }) => name))];
  if (policy === "keep" || volumes.length === 0) return { ...nothing, warnings };
  const others = otherContainers(pod, peer).map((container) => ({ container, mounted: mountedOf(container, names) }));
  const shared = new Set(others.flatMap(({ mounted }) => mounted));
  return {
    volumes: volumes.flatMap(({ volume, index }) => (shared.has(volume.name) ? [] : [index])),
    mounts: (peer.container.volumeMounts ?? []).flatMap(({ name }, index) => (names.includes(name) ? [index] : [])),
    warnings: [
      ...others.flatMap(({ container, mounted }) => (mounted.length === 0 ? [] : [sharedBy(container)])),
      ...warnings,
    ],
  };
}

function otherContainers({ spec }: V1Pod, peer: PeerContainer): readonly V1Container[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? []).filter((_, index) => index !== peer.index)];
}

function mountedOf({ volumeMounts }: V1Container, names: readonly string[]): readonly string[] {
  return (volumeMounts ?? []).map(({ name }) => name).filter((name) => names.includes(name));
}

function denied(volumes: readonly string[]): Denial {
  const key = annotationKeys.dockerSocket;
  const problem = {
    key,
    value: "deny",
    allowed: "no volume that leads to a container runtime of the node",
    documentation: documentationOf(key),
  };
  return new Denial(
    "docker-socket",
    problem,
    `the node's container runtime is not to be reached (${key}: deny): remove the volumes ${volumes.join(", ")}`,
  );
}

/** At most two names: a Pod may have very many, and a warning has 256 characters. */
function listed(names: readonly string[]): string {
  const [first = "", second, ...others] = names;
  if (second === undefined) return first;
  return others.length === 0 ? `${first}, ${second}` : `${first}, ${second} and ${others.length} more`;
}

function kept(volumes: readonly string[]): Warning {
  return {
    reason: "docker-socket-kept",
    message: `the node's container runtime stays within reach (volumes ${listed(volumes)}): whoever reaches it owns the node`,
  };
}

function sharedBy({ name }: V1Container): Warning {
  return {
    reason: "docker-socket-shared",
    message: `container ${name} still mounts the node's docker.sock; only the peer's mount was removed`,
  };
}
