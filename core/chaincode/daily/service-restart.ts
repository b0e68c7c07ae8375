import { startChaincode } from "../../fabric/chaincode/chaincode-start.ts";
import { rolledOut } from "../../kubernetes/conditions.ts";
import { get, patch } from "../../kubernetes/objects.ts";
import { waitFor } from "../../kubernetes/wait.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { reachPeer } from "../../network/session/reach.ts";
import type { FabricNode } from "../../network/resources/nodes.ts";
import type { Step, Waiting } from "../../engine/step.ts";
import { startTimeout } from "../lifecycle/init-step.ts";
import type { RunningService } from "../runtime/running-service.ts";

/** What `kubectl rollout restart` writes (k8s.io/kubectl pkg/polymorphichelpers/objectrestarter.go). */
const restartedAt = "kubectl.kubernetes.io/restartedAt";

/** A service has new Pods, and each peer that dials it has reached one: by a call that is never submitted. */
export function serviceRestartStep(
  network: OpenNetwork,
  { channel, name: chaincode }: { readonly channel: string; readonly name: string },
  { namespace, name }: RunningService,
  nodes: readonly FabricNode[],
  now: () => Date = () => new Date(),
): Step {
  const ref = { kind: "Deployment", namespace, name } as const;
  let isAnew = false;
  const rolling: Waiting = {
    is: "waiting",
    missing: "its Pods are not all replaced yet",
    until: (context) => waitFor(network.cluster, ref, rolledOut, { ...context, impatient: true }),
  };
  return {
    id: `restart/${namespace}/${name}`,
    title: `Deployment ${namespace}/${name} has ${chaincode} restarted`,
    after: [],
    // A peer may not have seen yet that the old server has gone.
    patience: { with: ["connection", "rejected", "chaincode", "not-ready"], within: 30_000 },
    async observe({ signal }) {
      const isRolling = isAnew && rolledOut(await get(network.cluster, ref, signal)).so !== true;
      return isRolling ? rolling : { is: "differs", change: "other Pods in the place of its own" };
    },
    async act({ signal, progress }) {
      if (!isAnew) {
        const annotations = { [restartedAt]: now().toISOString() };
        const change = { spec: { template: { metadata: { annotations } } } };
        await patch(network.cluster, ref, { type: "merge", patch: change }, { signal });
        isAnew = true;
        return rolling;
      }
      progress("its peers dial it again");
      await Promise.all(
        nodes.map(async (node) => {
          const client = await reachPeer(network, node, signal);
          await startChaincode({ ...client, timeout: startTimeout }, channel, chaincode);
        }),
      );
      return "its Pods are new";
    },
  };
}
