import { sidecarName } from "../../injection/sidecar.ts";
import { findPeerContainer } from "../../injection/peer-container.ts";
import { newDaemon, type Daemon } from "../../docker/daemon.ts";
import { FabricError } from "../../error.ts";
import type { PeerNames } from "../../fabric/chaincode/chaincode-image.ts";
import type { V1Container, V1Pod } from "../../kubernetes/client-node.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { execCapture } from "../../kubernetes/exec.ts";
import { get } from "../../kubernetes/objects.ts";
import { resolveTarget } from "../../kubernetes/port-forward.ts";
import { nodeTarget, podRemedy } from "../../network/workload/node-target.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { hostOf, ports, type FabricNode } from "../../network/resources/nodes.ts";
import { buildSettings, peerNames, type BuildSettings, type PeerContainerLook } from "./peer-settings.ts";

/** A peer as far as its images go: all that seeding needs to know of it. */
export interface SeedPeer {
  /** "peer0.org1" */
  readonly host: string;
  names(signal: AbortSignal): Promise<PeerNames>;
  buildSettings(signal: AbortSignal): Promise<BuildSettings>;
  /** Throws `not-ready` when the peer does not run, `not-found` when it has no daemon of its own. */
  withDaemon<Result>(signal: AbortSignal, use: (daemon: Daemon) => Promise<Result>): Promise<Result>;
}

/** A peer of a network on Kubernetes: its Pod is looked up anew for each use. */
export function seedPeer({ cluster }: OpenNetwork, node: FabricNode): SeedPeer {
  const host = hostOf(node);
  const looked = async (signal: AbortSignal): Promise<readonly [V1Container, PeerContainerLook]> => {
    const pod = await podOf(cluster, node, signal);
    const { container } = findPeerContainer(pod, undefined);
    return [container, containerLook(cluster, pod, container, signal)];
  };
  return {
    host,
    names: async (signal) => {
      const [container, look] = await looked(signal);
      return peerNames(container, host, look);
    },
    buildSettings: async (signal) => {
      const [container, look] = await looked(signal);
      return buildSettings(container, look);
    },
    async withDaemon(signal, use) {
      const { metadata, spec } = await podOf(cluster, node, signal);
      const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
      if (!containers.some(({ name }) => name === sidecarName)) {
        throw new FabricError("not-found", `expected a Docker daemon in the Pod of ${host}, found none`, {
          hint: { operation: "webhook status" },
        });
      }
      const { namespace } = node.organization;
      const daemon = newDaemon(cluster, { namespace, pod: metadata?.name ?? "", container: sidecarName }, signal);
      try {
        return await use(daemon);
      } finally {
        daemon.engine.close();
      }
    },
  };
}

async function podOf(cluster: Cluster, node: FabricNode, signal: AbortSignal): Promise<V1Pod> {
  const { namespace } = node.organization;
  const { pod: name } = await resolveTarget(cluster, nodeTarget(node, ports.peer), signal);
  const pod = await get(cluster, { kind: "Pod", namespace, name }, signal);
  if (pod) return pod;
  throw new FabricError("not-ready", `expected a running Pod of ${hostOf(node)}, found none`, {
    hint: podRemedy(false),
  });
}

/** Looks by exec: it needs no right to read the ConfigMaps and Secrets that variables may come from, and asks for nothing but these. */
function containerLook(cluster: Cluster, pod: V1Pod, { name }: V1Container, signal: AbortSignal): PeerContainerLook {
  const said = async (...command: string[]): Promise<string | undefined> => {
    const target = {
      namespace: pod.metadata?.namespace ?? "",
      pod: pod.metadata?.name ?? "",
      container: name,
      command,
    };
    try {
      const { code, stdout } = await execCapture(cluster, target, { signal });
      return code === 0 ? stdout.toString() : undefined;
    } catch (error) {
      // No such program in the peer's image, or no right to exec: then it is not known.
      if (error instanceof FabricError && ["not-found", "forbidden", "rejected"].includes(error.code)) return undefined;
      throw error;
    }
  };
  return {
    variable: async (variable) => (await said("printenv", variable))?.replace(/\n$/, ""),
    coreYaml: () => said("sh", "-c", 'cat "${FABRIC_CFG_PATH:-/etc/hyperledger/fabric}/core.yaml"'),
    version: () => said("peer", "version"),
  };
}
