import { broadcast } from "../fabric/broadcast.ts";
import { configOf, type ChannelConfig } from "../fabric/config.ts";
import { anchorPeers as currentAnchors, setAnchorPeers } from "../fabric/config-change.ts";
import { computeConfigUpdate, configUpdateEnvelope, signConfigUpdate } from "../fabric/config-update.ts";
import { printAddress } from "../fabric/address.ts";
import { peerConfigBlock } from "../fabric/peer-channels.ts";
import { FabricError } from "../error.ts";
import { eventually } from "../steps/eventually.ts";
import type { Step } from "../steps/step.ts";
import { anchorPeers } from "./channel.ts";
import type { OpenNetwork } from "./open-network.ts";
import { firstNode, reachPeer } from "./reach.ts";
import { hostOf, type PeerOrganization } from "./spec.ts";

/** The channel names this organization's anchor peers: without them the peers of different organizations never meet. */
export function anchorStep(
  network: OpenNetwork,
  channel: string,
  organization: PeerOrganization,
  after: readonly string[],
): Step {
  const wanted = anchorPeers(organization);
  const missing = (config: ChannelConfig): boolean =>
    currentAnchors(config, organization.mspId).map(printAddress).join() !== wanted.map(printAddress).join();
  const read = (signal: AbortSignal) => configFromPeer(network, channel, organization, signal);
  const send = async (signal: AbortSignal) => {
    const current = await read(signal);
    const update = computeConfigUpdate(current, setAnchorPeers(current, organization.mspId, wanted));
    if (!update) return;
    const { identity } = await network.administrator(organization, signal);
    const envelope = await configUpdateEnvelope(update, [await signConfigUpdate(update, identity)], identity);
    const orderer = await network.connection(firstNode(network.definition.spec.ordererOrganization), signal);
    await broadcast(orderer, envelope, `anchor peers of ${organization.name}`, { signal });
  };
  return {
    id: `${channel}/${organization.name}/anchor-peers`,
    title: `anchor peer of ${organization.name}`,
    after,
    async observe({ signal }) {
      return missing(await read(signal))
        ? { done: false, change: wanted.map(printAddress).join(", ") }
        : { done: true };
    },
    async act({ signal }) {
      await eventually(() => send(signal), { signal, retry: ["not-ready", "connection"] });
      await eventually(
        async () => {
          if (!missing(await read(signal))) return;
          throw new FabricError(
            "not-ready",
            `${hostOf(firstNode(organization))} has not yet received its anchor peers`,
          );
        },
        { signal, retry: ["not-ready"] },
      );
    },
  };
}

async function configFromPeer(
  network: OpenNetwork,
  channel: string,
  organization: PeerOrganization,
  signal: AbortSignal,
): Promise<ChannelConfig> {
  const { connection, identity } = await reachPeer(network, firstNode(organization), signal);
  return configOf(await peerConfigBlock(connection, identity, channel, { signal }));
}
