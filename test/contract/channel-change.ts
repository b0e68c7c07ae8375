import { common } from "@hyperledger/fabric-protos";
import { cloneConfig, configOf, type ChannelConfig } from "../../core/fabric/channel/config.ts";
import {
  computeConfigUpdate,
  configUpdateEnvelope,
  signConfigUpdate,
} from "../../core/fabric/channel/config-update.ts";
import { newSigningIdentity } from "../../core/fabric/identity/signing-identity.ts";
import { broadcast, type BroadcastAnswer, type SignerOf } from "../integration/emulator/network/config-update.ts";
import { eventually, type Network } from "../integration/emulator/network/network.ts";
import { deliverFromOrderer } from "./deliver.ts";

/** The orderers' current configuration. */
export async function currentConfig(network: Network): Promise<ChannelConfig> {
  const [orderer] = network.orderers;
  if (orderer === undefined) {
    throw new Error("expected an orderer");
  }
  const admin = { mspId: network.ordererOrganization.mspId, pair: network.ordererOrganization.admin };
  const fetch = async (start: "newest" | number): Promise<common.Block> => {
    const { blocks } = await deliverFromOrderer(network, orderer, admin, { start });
    return blocks[0] ?? new common.Block();
  };
  const newest = await fetch("newest");
  const metadata = newest.getMetadata()?.getMetadataList_asU8()[common.BlockMetadataIndex.SIGNATURES];
  const value = common.Metadata.deserializeBinary(metadata ?? new Uint8Array()).getValue_asU8();
  const index = common.OrdererBlockMetadata.deserializeBinary(value).getLastConfig()?.getIndex() ?? 0;
  return configOf(index === newest.getHeader()?.getNumber() ? newest : await fetch(index));
}

/** The difference between two configurations, as whoever signs would send it. */
export async function updateEnvelope(
  before: ChannelConfig,
  after: ChannelConfig,
  signers: readonly [SignerOf, ...SignerOf[]],
): Promise<common.Envelope> {
  const update = computeConfigUpdate(before, after);
  if (update === undefined) {
    throw new Error("expected a change of the configuration, found none");
  }
  const identities = signers.map(({ mspId, pair: { certificate, key } }) =>
    newSigningIdentity(mspId, { certificate, privateKey: key }),
  );
  const signatures = await Promise.all(identities.map((identity) => signConfigUpdate(update, identity)));
  const [sender] = identities;
  if (sender === undefined) {
    throw new Error("expected a signer");
  }
  return configUpdateEnvelope(update, signatures, sender);
}

/** Changes the configuration, and waits until an orderer shows it when it was taken. */
export async function changeChannel(
  network: Network,
  change: (config: ChannelConfig) => ChannelConfig,
  signers: readonly [SignerOf, ...SignerOf[]],
): Promise<BroadcastAnswer> {
  const before = await currentConfig(network);
  const [orderer] = network.orderers;
  if (orderer === undefined) {
    throw new Error("expected an orderer");
  }
  const answer = await broadcast(network, orderer, await updateEnvelope(before, change(cloneConfig(before)), signers));
  if (answer.status === common.Status.SUCCESS) {
    await eventually("the changed configuration", async () =>
      (await currentConfig(network)).config.getSequence() > before.config.getSequence() ? true : undefined,
    );
  }
  return answer;
}
