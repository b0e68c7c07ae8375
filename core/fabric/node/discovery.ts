import { createHash } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { discovery, gossip } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";
import { certificateBytes } from "../identity/certificate.ts";
import { isServiceError } from "./grpc-error.ts";
import { deadlineOf, type NodeClient, unary } from "./node-client.ts";

/** A peer of a channel, as the gossip of a peer knows it. */
export interface ChannelMember {
  /** The peer's CORE_PEER_GOSSIP_EXTERNALENDPOINT, "host:port". */
  readonly address: string;
  /** Names of the chaincodes that the peer has installed and that are committed, and `_lifecycle`, sorted: for these it counts as an endorser. */
  readonly chaincodes: readonly string[];
}

/**
 * The peers of a channel that the asked peer believes to be alive, itself included (discovery/service.go, channelMembershipResponse).
 * The client's connection has to show a TLS certificate. Undefined when the peer offers no discovery (CORE_PEER_DISCOVERY_ENABLED=false).
 * Throws `rejected` when the peer is not on the channel or the identity may not read it.
 */
export async function channelMembers(
  client: NodeClient,
  channel: string,
): Promise<readonly ChannelMember[] | undefined> {
  const { connection } = client;
  const what = `discovery of ${channel} at ${connection.name}`;
  const request = await membershipRequest(client, channel);
  const stub = connection.stub(discovery.DiscoveryClient);
  try {
    const response = await unary<discovery.Response>(client, what, (callback) =>
      stub.discover(request, deadlineOf(client), callback),
    );
    return membersIn(what, response);
  } catch (error) {
    if (error instanceof FabricError && isUnimplemented(error.cause)) return undefined;
    throw error;
  }
}

const isUnimplemented = (cause: unknown): boolean => isServiceError(cause) && cause.code === status.UNIMPLEMENTED;

async function membershipRequest({ connection, identity }: NodeClient, channel: string) {
  const authentication = new discovery.AuthInfo();
  authentication.setClientIdentity(identity.creator);
  const shown = connection.endpoint.client;
  if (shown) {
    authentication.setClientTlsCertHash(createHash("sha256").update(certificateBytes(shown.certificate)).digest());
  }
  const query = new discovery.Query();
  query.setChannel(channel);
  query.setPeerQuery(new discovery.PeerMembershipQuery());
  const request = new discovery.Request();
  request.setAuthentication(authentication);
  request.setQueriesList([query]);
  const payload = request.serializeBinary();
  const signed = new discovery.SignedRequest();
  signed.setPayload(payload);
  signed.setSignature(await identity.sign(payload));
  return signed;
}

function membersIn(what: string, response: discovery.Response): readonly ChannelMember[] {
  const [result] = response.getResultsList();
  const refusal = result?.getError()?.getContent();
  if (refusal !== undefined) throw new FabricError("rejected", `${what}: ${refusal}`);
  const members: ChannelMember[] = [];
  // getEntryList gives messages that are not decoded yet (google-protobuf, map.js).
  result
    ?.getMembers()
    ?.getPeersByOrgMap()
    .forEach((peers) => members.push(...peers.getPeersList().map(memberOf)));
  return members;
}

/** What a peer has signed of itself: its address, and what it offers on the channel (gossip/message.proto). */
function memberOf(found: discovery.Peer): ChannelMember {
  const alive = gossip.GossipMessage.deserializeBinary(payloadOf(found.getMembershipInfo())).getAliveMsg();
  const state = gossip.GossipMessage.deserializeBinary(payloadOf(found.getStateInfo())).getStateInfo();
  const chaincodes = state?.getProperties()?.getChaincodesList() ?? [];
  return {
    address: alive?.getMembership()?.getEndpoint() ?? "",
    chaincodes: chaincodes.map((chaincode) => chaincode.getName()).sort(),
  };
}

const payloadOf = (envelope: gossip.Envelope | undefined): Uint8Array =>
  envelope?.getPayload_asU8() ?? new Uint8Array();
