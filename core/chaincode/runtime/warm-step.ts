import { FabricError } from "../../error.ts";
import { joined } from "../../remedy.ts";
import { lacksImage, startChaincode } from "../../fabric/chaincode/chaincode-start.ts";
import { reachPeer } from "../../network/session/reach.ts";
import { hostOf, type FabricNode } from "../../network/resources/nodes.ts";
import { aMinute } from "../../engine/eventually.ts";
import type { ActingStep, Observation, Step } from "../../engine/step.ts";
import { containerOf, containersOf } from "../daemon/containers.ts";
import { buildAnew } from "../deployment/deploy-operation.ts";
import type { Deployment, Target } from "../deployment/deployment.ts";
import { startTimeout } from "../lifecycle/init-step.ts";
import { isBuiltByDocker } from "../seed/seeding.ts";

/**
 * A peer has started its chaincode, so that nobody's first transaction waits for it: by a call that is never submitted.
 * A container that has ended since was started once, and the peer starts it again by itself; one that is only created
 * is just being started by its peer, after a commit (Fabric core/chaincode/lifecycle/custodian.go): the call waits for it.
 */
export function warmStep(
  { network, channel, definition }: Deployment,
  { pkg }: Target,
  node: FabricNode,
  after: readonly Step[],
): ActingStep {
  return {
    id: `started/${hostOf(node)}`,
    title: `${hostOf(node)} has started ${definition.name}`,
    after,
    patience: { with: ["connection"], within: aMinute },
    async observe({ signal }): Promise<Observation> {
      try {
        const container = containerOf(await containersOf(network, node, signal), pkg.id);
        if (container && container.state !== "created") return { is: "so" };
      } catch (error) {
        if (!(error instanceof FabricError) || !["not-found", "forbidden"].includes(error.code)) throw error;
        // There is no daemon, or the user may not look into it: the peer starts the chaincode with its first call.
        return { is: "so", detail: "there is no daemon to look into" };
      }
      // When the package stays, only its ID is known: it may be a service's.
      const type = pkg.type ?? (await pkg.load(signal)).metadata.type;
      return isBuiltByDocker(type)
        ? { is: "differs", change: "by a call that is not submitted" }
        : { is: "so", detail: `an external builder runs ${type} packages` };
    },
    async act({ signal, progress }) {
      const client = await reachPeer(network, node, signal);
      progress("the chaincode starts");
      const started = startChaincode({ ...client, timeout: startTimeout }, channel, definition.name);
      const { state } = await started.catch((error: unknown) => {
        if (!lacksImage(error) || error.hint !== undefined) throw error;
        const { code, message } = error;
        const hint = joined([
          { operation: "chaincode seed", of: definition.name },
          " brings what another peer has; else: ",
          buildAnew(definition.name, channel),
        ]);
        throw new FabricError(code, message, { hint, cause: error });
      });
      return state === "running" ? "" : "to be initialized";
    },
  };
}
