import { FabricError } from "../../error.ts";
import { answers, says } from "../node/answers.ts";
import { broadcast } from "../node/broadcast.ts";
import { lastConfigIndex } from "../node/block.ts";
import { type ChannelConfig, configOf } from "./config.ts";
import { computeConfigUpdate, configUpdateEnvelope, signConfigUpdate } from "./config-update.ts";
import { fetchBlock } from "../node/deliver.ts";
import type { NodeClient } from "../node/node-client.ts";
import type { SigningIdentity } from "../identity/signing-identity.ts";

/** A change of a channel's configuration. */
export interface ConfigChange {
  readonly channel: string;
  /** For people: "setting the anchor peers of Org1MSP". */
  readonly what: string;
  /** What the configuration should be, from what it is. */
  readonly change: (current: ChannelConfig) => ChannelConfig;
  /** Identities that sign besides the client's own. Together they have to satisfy `policiesToSatisfy`. */
  readonly cosigners?: readonly SigningIdentity[];
}

/** Milliseconds that a change which an orderer accepted may take until it counts as lost. */
const lostAfter = 5_000;

/** A change that an orderer has accepted. Accepted is not committed. */
export interface AcceptedChange {
  /** The newest block before it. */
  readonly newest: number;
}

/**
 * Computes a change from the channel's configuration as the orderer has it, and hands it in; undefined when there is nothing to change.
 * Throws `not-ready` while there is no leader, and when another update comes first; `rejected` when Fabric refuses it.
 */
export async function submitConfigChange(
  orderer: NodeClient,
  change: ConfigChange,
): Promise<AcceptedChange | undefined> {
  const { identity } = orderer;
  const signers = [identity, ...(change.cosigners ?? [])];
  const { newest, current } = await currentConfig(orderer, change);
  const update = computeConfigUpdate(current, change.change(current));
  if (!update) return undefined;
  const signatures = await Promise.all(signers.map((signer) => signConfigUpdate(update, signer)));
  await send(orderer, change, await configUpdateEnvelope(update, signatures, identity));
  return { newest };
}

async function currentConfig(orderer: NodeClient, { channel }: ConfigChange) {
  const newest = await fetchBlock(orderer, "orderer", channel, "newest");
  const number = newest.getHeader()?.getNumber() ?? 0;
  const index = lastConfigIndex(newest);
  const block = index === number ? newest : await fetchBlock(orderer, "orderer", channel, index);
  return { newest: number, current: configOf(block) };
}

async function send(
  orderer: NodeClient,
  { what }: ConfigChange,
  envelope: Parameters<typeof broadcast>[1],
): Promise<void> {
  try {
    await broadcast(orderer, envelope, what);
  } catch (error) {
    if (!(error instanceof FabricError) || error.code !== "rejected" || !says(error.message, answers.updateOutdated))
      throw error;
    throw new FabricError("not-ready", `${what}: another update came first`, { cause: error });
  }
}

/**
 * Waits for the block of an accepted change: true. False when the change counts as lost: an orderer that accepts an update may still lose
 * it (its leader went away).
 */
export async function configArrived(
  orderer: NodeClient,
  { channel }: Pick<ConfigChange, "channel">,
  { newest }: AcceptedChange,
): Promise<boolean> {
  const lost = performance.now() + lostAfter;
  for (let number = newest + 1; ; number += 1) {
    try {
      const timeout = Math.max(1, lost - performance.now());
      const block = await fetchBlock({ ...orderer, timeout }, "orderer", channel, number, { wait: true });
      if (lastConfigIndex(block) === number) return true;
    } catch (error) {
      const lostOrLeaderless = error instanceof FabricError && (error.code === "timeout" || error.code === "not-ready");
      if (!lostOrLeaderless || orderer.signal?.aborted) throw error;
      return false;
    }
  }
}
