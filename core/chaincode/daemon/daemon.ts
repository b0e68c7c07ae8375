import { sidecarName } from "../../injection/sidecar.ts";
import { newEngine, type Engine } from "../../docker/engine.ts";
import { resolveTarget } from "../../kubernetes/port-forward.ts";
import { nodeTarget } from "../../network/workload/node-target.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { ports, type FabricNode } from "../../network/resources/nodes.ts";

/** Runs something with the Docker daemon in a peer's Pod. Throws `not-ready` when the Pod does not run, `not-found` when it has no daemon. */
export async function withDaemon<Result>(
  { cluster }: OpenNetwork,
  node: FabricNode,
  signal: AbortSignal,
  use: (engine: Engine) => Promise<Result>,
): Promise<Result> {
  const { namespace } = node.organization;
  const { pod } = await resolveTarget(cluster, nodeTarget(node, ports.peer), signal);
  const engine = newEngine(cluster, { namespace, pod, container: sidecarName }, signal);
  try {
    return await use(engine);
  } finally {
    engine.close();
  }
}
