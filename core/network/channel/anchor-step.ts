import { printAddress } from "../../fabric/node/address.ts";
import { configOf, type ChannelConfig } from "../../fabric/channel/config.ts";
import { anchorPeers as currentAnchors, setAnchorPeers } from "../../fabric/channel/config-change.ts";
import { configArrived, submitConfigChange } from "../../fabric/channel/config-commit.ts";
import { peerConfigBlock } from "../../fabric/channel/peer-channels.ts";
import type { Step } from "../../engine/step.ts";
import { anchorPeers } from "./channel.ts";
import type { OpenNetwork } from "../session/open-network.ts";
import { connectOrganization, reachOrganization } from "../session/reach.ts";
import type { PeerOrganization } from "../resources/spec.ts";

/**
 * The channel names this organization's anchor peers: without them the peers of different organizations never meet.
 * Others that somebody has added stay.
 */
export function anchorStep(
  network: OpenNetwork,
  channel: string,
  organization: PeerOrganization,
  after: readonly Step[],
): Step {
  const { mspId } = organization;
  const missing = (config: ChannelConfig) => {
    const present = new Set(currentAnchors(config, mspId).map(printAddress));
    return anchorPeers(organization).filter((address) => !present.has(printAddress(address)));
  };
  const read = async (signal: AbortSignal) => {
    return configOf(await peerConfigBlock(await reachOrganization(network, organization, signal), channel));
  };
  return {
    id: `${channel}/${organization.name}/anchor-peers`,
    title: `anchor peer of ${organization.name}`,
    after,
    // While the orderers have no leader, or another update comes first.
    patience: { with: ["not-ready"] },
    async observe({ signal }) {
      const absent = missing(await read(signal));
      if (absent.length === 0) return { is: "so" };
      return { is: "differs", change: absent.map(printAddress).join(", ") };
    },
    async act({ signal }) {
      const connection = await connectOrganization(network, network.definition.spec.ordererOrganization, signal);
      const { identity } = await network.administrator(organization, signal);
      const change = (current: ChannelConfig) =>
        setAnchorPeers(current, mspId, [...currentAnchors(current, mspId), ...missing(current)]);
      const what = `setting the anchor peers of ${mspId}`;
      const orderer = { connection, identity };
      const accepted = await submitConfigChange({ ...orderer, signal }, { channel, what, change });
      if (accepted) {
        return {
          is: "waiting",
          missing: `${what}: accepted, but not in a block yet`,
          hint: "more than half of the channel's consenters must run and reach each other",
          until: (context) => configArrived({ ...orderer, signal: context.signal }, { channel }, accepted),
        };
      }
      return {
        is: "waiting",
        missing: `the peers of ${organization.name} have not yet received its anchor peers`,
        hint: [{ operation: "status" }, " shows how far each peer is"],
      };
    },
  };
}
