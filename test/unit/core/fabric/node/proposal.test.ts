import { peer } from "@hyperledger/fabric-protos";
import { expect, test } from "vitest";
import type { SigningIdentity } from "../../../../../core/fabric/identity/signing-identity.ts";
import type { NodeClient } from "../../../../../core/fabric/node/node-client.ts";
import type { NodeConnection } from "../../../../../core/fabric/node/node-connection.ts";
import { propose } from "../../../../../core/fabric/node/proposal.ts";
import { typedAs } from "../../../../typed-as.ts";

interface Refusal {
  readonly status: number;
  readonly message: string;
  /** Whether the chaincode was simulated, and the peer passes its answer on. */
  readonly simulated: boolean;
}

/** A peer that refuses every proposal in the same way. */
function refusing({ status, message, simulated }: Refusal): NodeClient {
  const inner = new peer.Response();
  inner.setStatus(status);
  inner.setMessage(message);
  const response = new peer.ProposalResponse();
  response.setResponse(inner);
  if (simulated) response.setPayload(Buffer.from("simulated"));
  const processProposal = (_: unknown, __: unknown, done: (error: null, response: peer.ProposalResponse) => void) =>
    void setImmediate(() => done(null, response));
  const connection = { name: "peer0.org1", endpoint: {}, stub: () => ({ processProposal }) };
  const identity = { creator: new Uint8Array(), sign: async () => new Uint8Array() };
  return {
    connection: connection as unknown as NodeConnection,
    identity: identity as unknown as SigningIdentity,
  };
}

const call = (chaincode: string) => ({ channel: "mychannel", chaincode, function: "Read" });

test.each([
  ["the offer has expired", 500],
  ["access denied to the vault", 500],
  ["the bid does not satisfy the minimum", 500],
  ["unknown channel ID of the broadcaster", 500],
  ["the offer has expired", 404],
])("what chaincode says itself, as %s with %i, gets no hint", async (message, status) => {
  const client = refusing({ status, message, simulated: status === 500 });
  await expect(propose(client, call("asset"))).rejects.toMatchObject({
    code: "rejected",
    message: `asset Read at peer0.org1: ${message}`,
    hint: undefined,
  });
});

test.each([
  ["asset", "error validating proposal: access denied: channel [mychannel] creator org [Org9MSP]", false, /identity/],
  ["asset", "failed evaluating policy: implicit policy evaluation failed", false, /identity/],
  ["asset", "channel 'mychannel' not found", false, /kubectl fabric join/],
  ["cscc", "access denied for [JoinChain][mychannel]", true, /identity/],
  ["qscc", "failed ACL check: implicit policy evaluation failed", true, /identity/],
  ["_lifecycle", "failed ACL check: implicit policy evaluation failed", true, /identity/],
])("what the peer says of %s, as %s, gets a hint", async (chaincode, message, simulated, hint) => {
  const client = refusing({ status: 500, message, simulated });
  await expect(propose(client, call(chaincode))).rejects.toMatchObject({ hint: typedAs(expect.stringMatching(hint)) });
});
