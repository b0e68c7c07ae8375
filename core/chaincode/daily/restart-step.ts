import { stopContainer } from "../../docker/containers.ts";
import { startChaincode } from "../../fabric/chaincode/chaincode-start.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { reachPeer } from "../../network/session/reach.ts";
import { hostOf } from "../../network/resources/nodes.ts";
import type { Step } from "../../engine/step.ts";
import { containerOf, containersOf } from "../daemon/containers.ts";
import { withDaemon } from "../daemon/daemon.ts";
import { startTimeout } from "../lifecycle/init-step.ts";
import type { LogSource } from "./logs.ts";
import type { ChaincodeState } from "./state.ts";

/** Stops a chaincode's container at one peer. Then a call that is never submitted makes the peer start it again. */
export function restartStep(
  network: OpenNetwork,
  { channel, name }: Pick<ChaincodeState, "channel" | "name">,
  { node, packageId }: LogSource,
): Step {
  let isStopped = false;
  return {
    id: `restart/${hostOf(node)}`,
    title: `${hostOf(node)} has ${name} restarted`,
    after: [],
    // The peer may not have seen yet that the old one has gone.
    patience: { with: ["connection", "rejected"], within: 30_000 },
    observe: async () => ({ is: "differs", change: "stop its container, then call it" }),
    async act({ signal, progress }) {
      const container = isStopped ? undefined : containerOf(await containersOf(network, node, signal), packageId);
      if (container?.state === "running") {
        progress("the container stops");
        await withDaemon(network, node, signal, (engine) => stopContainer(engine, container.id, signal));
      }
      isStopped = true;
      progress("the chaincode starts");
      const client = await reachPeer(network, node, signal);
      await startChaincode({ ...client, timeout: startTimeout }, channel, name);
      const now = containerOf(await containersOf(network, node, signal), packageId);
      return now ? `${now.name.slice(0, 60)}… ${now.status}` : "";
    },
  };
}
