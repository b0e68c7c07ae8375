import { eventually } from "../core/engine/eventually.ts";
import { configArrived, submitConfigChange, type ConfigChange } from "../core/fabric/channel/config-commit.ts";
import type { NodeClient } from "../core/fabric/node/node-client.ts";

/** Makes a change of a channel, and waits until its orderer has it in a block. False when there was nothing to change. */
export async function commitConfigChange(orderer: NodeClient, change: ConfigChange): Promise<boolean> {
  const { signal = AbortSignal.timeout(60_000) } = orderer;
  for (;;) {
    const accepted = await eventually(() => submitConfigChange(orderer, change), { signal, retry: ["not-ready"] });
    if (!accepted) return false;
    if (await configArrived(orderer, change, accepted)) return true;
  }
}
