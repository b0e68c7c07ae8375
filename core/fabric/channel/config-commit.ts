import { setTimeout as pause } from "node:timers/promises";
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
  /** What the configuration should be, from what it is; called again when it has changed meanwhile. */
  readonly change: (current: ChannelConfig) => ChannelConfig;
  /** Who consents besides the one who asks. Together enough for `policiesToSatisfy`. */
  readonly cosigners?: readonly SigningIdentity[];
}

/** How long a change that an orderer accepted may take until it counts as lost. */
const lostAfter = 5_000;

/**
 * Makes a change and waits until the orderer has it in a block. False when there was nothing to change. An orderer that
 * accepts an update may still lose it (its leader went away), and another update may come first: then it is computed
 * and sent again, as long as the signal lets it. Throws `rejected` when Fabric refuses it; when the signal is aborted, what it waited for.
 */
export async function commitConfigChange(orderer: NodeClient, change: ConfigChange): Promise<boolean> {
  const { identity, signal } = orderer;
  const signers = [identity, ...(change.cosigners ?? [])];
  for (let wanted: ChannelConfig | undefined; ; signal?.throwIfAborted()) {
    const { newest, current } = await untilReady(() => currentConfig(orderer, change), signal);
    if (wanted && !computeConfigUpdate(current, wanted)) return true;
    wanted = change.change(current);
    const update = computeConfigUpdate(current, wanted);
    if (!update) return false;
    const signatures = await Promise.all(signers.map((signer) => signConfigUpdate(update, signer)));
    const envelope = await configUpdateEnvelope(update, signatures, identity);
    const accepted = await untilReady(() => send(orderer, change, envelope), signal);
    if (!accepted) continue;
    const isThere = await waitForConfig(orderer, change, newest);
    if (!isThere && signal?.aborted) throw late(orderer, change);
  }
}

async function currentConfig(orderer: NodeClient, { channel }: ConfigChange) {
  const newest = await fetchBlock(orderer, "orderer", channel, "newest");
  const number = newest.getHeader()?.getNumber() ?? 0;
  const index = lastConfigIndex(newest);
  const block = index === number ? newest : await fetchBlock(orderer, "orderer", channel, index);
  return { newest: number, current: configOf(block) };
}

/** False when another update came first. */
async function send(
  orderer: NodeClient,
  { what }: ConfigChange,
  envelope: Parameters<typeof broadcast>[1],
): Promise<boolean> {
  try {
    await broadcast(orderer, envelope, what);
    return true;
  } catch (error) {
    if (error instanceof FabricError && error.code === "rejected" && says(error.message, answers.updateOutdated)) {
      return false;
    }
    throw error;
  }
}

/** True once a block after `newest` brings another configuration; false when the change counts as lost, or the signal is aborted. */
async function waitForConfig(orderer: NodeClient, { channel }: ConfigChange, newest: number): Promise<boolean> {
  const lost = Date.now() + lostAfter;
  for (let number = newest + 1; ; number += 1) {
    try {
      const timeout = Math.max(1, lost - Date.now());
      const block = await fetchBlock({ ...orderer, timeout }, "orderer", channel, number, { wait: true });
      if (lastConfigIndex(block) === number) return true;
    } catch (error) {
      const lostOrLeaderless = error instanceof FabricError && (error.code === "timeout" || error.code === "not-ready");
      if (!lostOrLeaderless && orderer.signal?.aborted !== true) throw error;
      return false;
    }
  }
}

/** Tries again while the orderers have no leader; throws that when the signal is aborted meanwhile. */
async function untilReady<Result>(act: () => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  for (let before: unknown; ;) {
    try {
      return await act();
    } catch (error) {
      if (signal?.aborted) throw before ?? error;
      if (!(error instanceof FabricError) || error.code !== "not-ready") throw error;
      before = error;
    }
    // An orderer tells nobody when it has a leader: there is nothing to watch.
    await pause(500, undefined, { signal }).catch(() => {});
    if (signal?.aborted) throw before;
  }
}

function late({ connection: { name } }: NodeClient, { what }: ConfigChange): FabricError {
  return new FabricError("timeout", `${what} at ${name}: accepted, but not in a block in the time allowed`, {
    hint: "more than half of the channel's consenters must run and reach each other",
  });
}
