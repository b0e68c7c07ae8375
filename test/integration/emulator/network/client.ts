import { createPrivateKey, randomBytes, createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { buffer } from "node:stream/consumers";
import { Client, credentials, type ClientOptions, type ServiceError } from "@grpc/grpc-js";
import { connect, hash, signers, type Gateway } from "@hyperledger/fabric-gateway";
import { common, msp, peer } from "@hyperledger/fabric-protos";
import timestampPb from "google-protobuf/google/protobuf/timestamp_pb.js";
import { pack } from "tar-stream";
import { hearing } from "./answers.ts";
import type { KeyPair } from "./authority.ts";
import type { PeerNode } from "./network.ts";
import type { Organization } from "./organization.ts";

export function credentialsOf(organization: Organization): ReturnType<typeof credentials.createSsl> {
  return credentials.createSsl(Buffer.from(organization.tlsCa.certificate));
}

/** Of a client of one node. Certificates are for localhost too; an IP address may not be asked for by name. */
export const optionsFor = (address: string): Partial<ClientOptions> => ({
  "grpc.ssl_target_name_override": "localhost",
  interceptors: [hearing(address)],
});

/** A Gateway connection and the gRPC connection below it. */
export interface Connection {
  readonly gateway: Gateway;
  close(): void;
}

export function connectGateway(node: PeerNode, pair: KeyPair = node.organization.admin): Connection {
  const client = new Client(node.address, credentialsOf(node.organization), optionsFor(node.address));
  const gateway = connect({
    client,
    identity: { mspId: node.organization.mspId, credentials: Buffer.from(pair.certificate) },
    signer: signers.newPrivateKeySigner(createPrivateKey(pair.key)),
    hash: hash.sha256,
  });
  return {
    gateway,
    close: () => {
      gateway.close();
      client.close();
    },
  };
}

export function serializedIdentity(mspId: string, certificate: string): Uint8Array {
  const identity = new msp.SerializedIdentity();
  identity.setMspid(mspId);
  identity.setIdBytes(Buffer.from(certificate));
  return identity.serializeBinary();
}

export interface ProposalOptions {
  readonly channelId?: string;
  readonly chaincode: string;
  readonly args: readonly (string | Uint8Array)[];
  readonly signer?: KeyPair;
  readonly mspId?: string;
  /** When the client says that it is. */
  readonly time?: Date;
  /** Signs with this instead of the signer's own key. */
  readonly forgedBy?: KeyPair;
}

/** Sends a proposal straight to a peer's Endorser service; rejects as gRPC does. */
export async function propose(node: PeerNode, options: ProposalOptions): Promise<peer.ProposalResponse> {
  return endorse(node, await signedProposal(node.organization, options));
}

export async function endorse(node: PeerNode, signed: peer.SignedProposal): Promise<peer.ProposalResponse> {
  const client = new peer.EndorserClient(node.address, credentialsOf(node.organization), optionsFor(node.address));
  try {
    return await new Promise((resolve, reject: (error: ServiceError | Error) => void) => {
      client.processProposal(signed, (error, response) =>
        response === undefined ? reject(error ?? new Error("no response")) : resolve(response),
      );
    });
  } finally {
    client.close();
  }
}

/** A proposal of the organization's administrator, unless told otherwise. */
export async function signedProposal(
  organization: Organization,
  options: ProposalOptions,
): Promise<peer.SignedProposal> {
  const pair = options.signer ?? organization.admin;
  const sign = signers.newPrivateKeySigner(createPrivateKey((options.forgedBy ?? pair).key));
  const creator = serializedIdentity(options.mspId ?? organization.mspId, pair.certificate);
  const nonce = randomBytes(24);
  const chaincodeId = new peer.ChaincodeID();
  chaincodeId.setName(options.chaincode);
  const extension = new peer.ChaincodeHeaderExtension();
  extension.setChaincodeId(chaincodeId);
  const channelHeader = new common.ChannelHeader();
  channelHeader.setType(common.HeaderType.ENDORSER_TRANSACTION);
  channelHeader.setChannelId(options.channelId ?? "");
  channelHeader.setTxId(createHash("sha256").update(nonce).update(creator).digest("hex"));
  channelHeader.setExtension$(extension.serializeBinary());
  channelHeader.setTimestamp(timestampPb.Timestamp.fromDate(options.time ?? new Date()));
  const signatureHeader = new common.SignatureHeader();
  signatureHeader.setCreator(creator);
  signatureHeader.setNonce(nonce);
  const header = new common.Header();
  header.setChannelHeader(channelHeader.serializeBinary());
  header.setSignatureHeader(signatureHeader.serializeBinary());
  const input = new peer.ChaincodeInput();
  input.setArgsList(options.args.map((arg) => Buffer.from(arg as Uint8Array)));
  const spec = new peer.ChaincodeSpec();
  spec.setChaincodeId(chaincodeId);
  spec.setInput(input);
  const invocation = new peer.ChaincodeInvocationSpec();
  invocation.setChaincodeSpec(spec);
  const payload = new peer.ChaincodeProposalPayload();
  payload.setInput(invocation.serializeBinary());
  const proposal = new peer.Proposal();
  proposal.setHeader(header.serializeBinary());
  proposal.setPayload(payload.serializeBinary());
  const bytes = proposal.serializeBinary();
  const signed = new peer.SignedProposal();
  signed.setProposalBytes(bytes);
  signed.setSignature(await sign(createHash("sha256").update(bytes).digest()));
  return signed;
}

/** A package of chaincode as a service. */
export async function servicePackage(
  label: string,
  address: string,
): Promise<{ readonly bytes: Buffer; readonly packageId: string }> {
  const connection = JSON.stringify({ address, dial_timeout: "2s", tls_required: false });
  const code = await tarball({ "connection.json": Buffer.from(connection) });
  const metadata = Buffer.from(JSON.stringify({ type: "ccaas", label }));
  const bytes = await tarball({ "metadata.json": metadata, "code.tar.gz": code });
  return { bytes, packageId: `${label}:${createHash("sha256").update(bytes).digest("hex")}` };
}

async function tarball(files: Readonly<Record<string, Buffer>>): Promise<Buffer> {
  const archive = pack();
  Object.entries(files).forEach(([name, content]) => archive.entry({ name, mode: 0o100644 }, content));
  archive.finalize();
  return gzipSync(await buffer(archive));
}
