// A server that checks a discovery request as a peer does (discovery/service.go, validateStructure), and answers with gossip's own messages.
import { createHash, verify, X509Certificate } from "node:crypto";
import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import { discovery, gossip } from "@hyperledger/fabric-protos";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  createCertificateAuthority,
  issueEnrolmentCertificate,
  issueTlsCertificate,
  type Credential,
} from "../../../../core/fabric/identity/certificate-authority.ts";
import { newSigningIdentity } from "../../../../core/fabric/identity/signing-identity.ts";
import { channelMembers } from "../../../../core/fabric/node/discovery.ts";
import { connectNode } from "../../../../core/fabric/node/node-connection.ts";

let admin: Credential;
let tls: Credential;
let ofPeer: Credential;
let authority: string;
let answer: (request: discovery.Request) => discovery.QueryResult | undefined;
let port: number;
const peer = new Server();
const silent = new Server();

function discover(
  { request }: ServerUnaryCall<discovery.SignedRequest, discovery.Response>,
  send: sendUnaryData<discovery.Response>,
): void {
  const payload = request.getPayload_asU8();
  const asked = discovery.Request.deserializeBinary(payload);
  const { publicKey } = new X509Certificate(admin.certificate);
  const isSigned = verify("sha256", payload, publicKey, request.getSignature_asU8());
  const shown = createHash("sha256").update(new X509Certificate(tls.certificate).raw).digest();
  const isBound = shown.equals(asked.getAuthentication()?.getClientTlsCertHash_asU8() ?? new Uint8Array());
  const result = isSigned && isBound ? answer(asked) : undefined;
  if (!result) return send({ code: status.UNKNOWN, details: `signed: ${isSigned}, bound: ${isBound}` });
  const response = new discovery.Response();
  response.setResultsList([result]);
  send(null, response);
}

const bind = (server: Server, pair: Credential) =>
  new Promise<number>((resolve, reject) => {
    const { certificate, privateKey } = pair;
    const credentials = ServerCredentials.createSsl(null, [
      { cert_chain: Buffer.from(certificate), private_key: Buffer.from(privateKey) },
    ]);
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });

beforeAll(async () => {
  const now = new Date();
  const issuer = await createCertificateAuthority({ commonName: "ca", organization: "o", now });
  authority = issuer.certificate;
  admin = await issueEnrolmentCertificate(issuer, { commonName: "admin", role: "admin", now });
  tls = await issueTlsCertificate(issuer, { commonName: "admin", hosts: ["admin"], now });
  ofPeer = await issueTlsCertificate(issuer, { commonName: "peer0", hosts: ["peer0.org1"], now });
  peer.addService(discovery.DiscoveryService, { discover });
  port = await bind(peer, ofPeer);
});
afterAll(() => peer.forceShutdown());
afterAll(() => silent.forceShutdown());

async function members(of = port) {
  const endpoint = { host: "127.0.0.1", port: of, serverName: "peer0.org1", tlsRootCertificates: authority };
  const connection = connectNode({ ...endpoint, client: tls });
  try {
    return await channelMembers({ connection, identity: newSigningIdentity("Org1MSP", admin) }, "mychannel");
  } finally {
    connection.close();
  }
}

const signedBy = (message: gossip.GossipMessage): gossip.Envelope => {
  const envelope = new gossip.Envelope();
  envelope.setPayload(message.serializeBinary());
  return envelope;
};

function member(address: string, chaincodes: readonly string[]): discovery.Peer {
  const itself = new gossip.Member();
  itself.setEndpoint(address);
  const alive = new gossip.AliveMessage();
  alive.setMembership(itself);
  const properties = new gossip.Properties();
  properties.setChaincodesList(
    chaincodes.map((name) => {
      const chaincode = new gossip.Chaincode();
      chaincode.setName(name);
      return chaincode;
    }),
  );
  const state = new gossip.StateInfo();
  state.setProperties(properties);
  const [ofAlive, ofState] = [new gossip.GossipMessage(), new gossip.GossipMessage()];
  ofAlive.setAliveMsg(alive);
  ofState.setStateInfo(state);
  const found = new discovery.Peer();
  found.setMembershipInfo(signedBy(ofAlive));
  found.setStateInfo(signedBy(ofState));
  return found;
}

test("the peers of a channel, with the chaincodes that they endorse", async () => {
  answer = (request) => {
    expect(request.getQueriesList().map((query) => [query.getChannel(), query.getQueryCase()])).toEqual([
      ["mychannel", discovery.Query.QueryCase.PEER_QUERY],
    ]);
    const result = new discovery.QueryResult();
    const found = new discovery.PeerMembershipResult();
    const ofOrg1 = new discovery.Peers();
    ofOrg1.setPeersList([member("peer0.org1:7051", ["basic", "asset"]), member("peer1.org1:7051", [])]);
    found.getPeersByOrgMap().set("Org1MSP", ofOrg1);
    result.setMembers(found);
    return result;
  };
  expect(await members()).toEqual([
    { address: "peer0.org1:7051", chaincodes: ["asset", "basic"] },
    { address: "peer1.org1:7051", chaincodes: [] },
  ]);
});

test("a peer that refuses says so", async () => {
  answer = () => {
    const error = new discovery.Error();
    error.setContent("access denied");
    const result = new discovery.QueryResult();
    result.setError(error);
    return result;
  };
  await expect(members()).rejects.toMatchObject({
    code: "rejected",
    message: expect.stringMatching(/^discovery of mychannel at peer0\.org1 .*: access denied$/),
  });
});

test("a peer without discovery is told apart", async () => {
  const without = await bind(silent, ofPeer);
  expect(await members(without)).toBeUndefined();
});
