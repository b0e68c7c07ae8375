import { FabricError } from "../../error.ts";
import { configOf, organizationsOf } from "../../fabric/channel/config.ts";
import { foundNobodyToAsk } from "../../fabric/node/gateway-error.ts";
import type { NodeClient } from "../../fabric/node/node-client.ts";
import { committedDefinitions } from "../../fabric/chaincode/lifecycle.ts";
import { peerChannels, peerConfigBlock } from "../../fabric/channel/peer-channels.ts";
import type { FabricNetwork } from "../../network/resources/spec.ts";

/** Names that a user typed for a transaction. */
export interface TransactionNames {
  readonly channel: string;
  readonly chaincode: string;
  /** Names of the network's organizations, or MSP IDs. */
  readonly endorsingOrganizations?: readonly string[] | undefined;
}

/**
 * The failure to show for a failed transaction: `usage`, with the existing names, when the peer knows no channel, chaincode or organization
 * of that name; else `failure` as it is. A gateway only tells that it found no peer to ask.
 */
export async function transactionFailure(
  definition: FabricNetwork,
  client: NodeClient,
  names: TransactionNames,
  failure: unknown,
): Promise<unknown> {
  if (!foundNobodyToAsk(failure) || client.signal?.aborted) return failure;
  try {
    return (await unknownName(definition, client, names)) ?? failure;
  } catch {
    // The look has failed: the first failure stays.
    return failure;
  }
}

async function unknownName(
  definition: FabricNetwork,
  client: NodeClient,
  { channel, chaincode, endorsingOrganizations = [] }: TransactionNames,
): Promise<FabricError | undefined> {
  const strange = await notJoined(client, channel);
  if (strange) return strange;
  const [block, definitions] = await Promise.all([
    peerConfigBlock(client, channel),
    committedDefinitions(client, channel),
  ]);
  const known = organizationsOf(configOf(block).config, "application");
  return (
    unknownOrganizations(definition, channel, known, endorsingOrganizations) ??
    unknownChaincode(
      channel,
      definitions.map(({ name }) => name),
      chaincode,
    )
  );
}

/** The `usage` failure for a channel that this peer has not joined; undefined when it has, or does not tell. */
export async function notJoined(client: NodeClient, channel: string): Promise<FabricError | undefined> {
  const channels = await peerChannels(client).catch(() => [channel]);
  if (channels.includes(channel)) return undefined;
  return unknownChannel(`that ${client.connection.endpoint.serverName} has joined`, channels, channel);
}

/** `which` channels these are: "that peer0.org1 has joined". */
export function unknownChannel(which: string, channels: readonly string[], channel: string): FabricError {
  const [first] = channels;
  const join = { operation: "join", of: channel } as const;
  const message = `expected a channel ${which} (${channels.join(", ") || "none"}), found ${channel}`;
  return new FabricError("usage", message, {
    hint: first === undefined ? join : [{ setting: "channel", to: first }, ", or first: ", join],
  });
}

function unknownChaincode(channel: string, names: readonly string[], chaincode: string): FabricError | undefined {
  if (names.includes(chaincode)) return undefined;
  return new FabricError(
    "usage",
    `expected a chaincode that is committed on ${channel} (${names.join(", ") || "none"}), found ${chaincode}`,
    { hint: { operation: "deploy", of: chaincode, with: { path: "DIR", channel } } },
  );
}

function unknownOrganizations(
  definition: FabricNetwork,
  channel: string,
  known: readonly string[],
  asked: readonly string[],
): FabricError | undefined {
  const strangers = mspIdsOf(definition, asked).flatMap((mspId, index) =>
    known.includes(mspId) ? [] : [asked[index] ?? mspId],
  );
  if (strangers.length === 0) return undefined;
  const names = known.map((mspId) => organizationNamed(definition, mspId) ?? mspId);
  return new FabricError(
    "usage",
    `expected organizations of ${channel} (${names.join(", ")}) in --endorsing-orgs, found ${strangers.join(", ")}`,
    {
      hint: [
        { setting: "endorsingOrganizations", to: names },
        ", or leave it out: then the endorsement policy decides",
      ],
    },
  );
}

/**
 * The MSP IDs of the network's organizations with these names. Any other name is taken as an MSP ID: an organization of the channel may
 * live on another cluster.
 */
export function mspIdsOf({ spec }: FabricNetwork, names: readonly string[]): readonly string[] {
  return names.map((name) => spec.peerOrganizations.find((one) => one.name === name)?.mspId ?? name);
}

const organizationNamed = ({ spec }: FabricNetwork, mspId: string): string | undefined =>
  spec.peerOrganizations.find((one) => one.mspId === mspId)?.name;
