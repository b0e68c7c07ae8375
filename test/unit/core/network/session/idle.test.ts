// Connections that nobody uses: each is a stream that the API server keeps open.
import { connect } from "node:net";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import { common, peer } from "@hyperledger/fabric-protos";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { WebSocket } from "ws";
import { FabricError } from "../../../../../core/error.ts";
import {
  createCertificateAuthority,
  issueEnrolmentCertificate,
  issueTlsCertificate,
} from "../../../../../core/fabric/identity/certificate-authority.ts";
import { newSigningIdentity, type SigningIdentity } from "../../../../../core/fabric/identity/signing-identity.ts";
import { fetchBlock } from "../../../../../core/fabric/node/deliver.ts";
import { openNetwork, type OpenNetwork } from "../../../../../core/network/session/open-network.ts";
import { peerNodes, type FabricNode } from "../../../../../core/network/resources/nodes.ts";
import { answerJson, serve, v4, type ScriptedServer } from "../../../../integration/core/kubernetes/api-server.ts";
import { turns } from "../../../../integration/core/kubernetes/turns.ts";
import { small } from "../network-cluster.ts";

type Stream = ServerDuplexStream<common.Envelope, peer.DeliverResponse>;

const { signal } = new AbortController();
const [peer0] = peerNodes(small) as [FabricNode];
const running = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };

let apiServer: ScriptedServer;
let node: Server;
let network: OpenNetwork;
let identity: SigningIdentity;
/** Streams at the API server, open and of all time. */
const forwarded = { open: 0, ever: 0 };
/** What the node does with who asks for a block. */
let onDeliver: (stream: Stream) => void;

beforeEach(async () => {
  const now = new Date();
  const authority = await createCertificateAuthority({ commonName: "tlsca", organization: "org1", now });
  const [tls, admin] = await Promise.all([
    issueTlsCertificate(authority, { commonName: "peer0", hosts: ["peer0.org1"], now }),
    issueEnrolmentCertificate(authority, { commonName: "admin", role: "admin", now }),
  ]);
  identity = newSigningIdentity("Org1MSP", admin);
  node = new Server();
  node.addService(peer.DeliverService, {
    deliver: (stream: Stream) => onDeliver(stream),
    deliverFiltered: (stream: Stream) => stream.end(),
    deliverWithPrivateData: (stream: Stream) => stream.end(),
  });
  const pair = { cert_chain: Buffer.from(tls.certificate), private_key: Buffer.from(tls.privateKey) };
  const port = await new Promise<number>((resolve, reject) => {
    node.bindAsync("127.0.0.1:0", ServerCredentials.createSsl(null, [pair]), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  Object.assign(forwarded, { open: 0, ever: 0 });
  onDeliver = sendBlock;
  apiServer = await serve({
    protocols: [v4],
    onRequest: ({ url = "" }, response) =>
      answerJson(
        response,
        url.includes("/configmaps/")
          ? { metadata: { name: "msp" }, data: { "ca.pem": "CA", "tlsca.pem": authority.certificate } }
          : { items: [{ metadata: { name: "peer0-0" }, status: running }] },
      ),
    onSocket: (socket) => carry(socket, port),
  });
  network = openNetwork(apiServer.cluster, small);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] });
});

afterEach(async () => {
  vi.useRealTimers();
  await network.close();
  await apiServer.close();
  node.forceShutdown();
});

/** A port of a Pod, as a kubelet forwards it: each message begins with its channel, each channel with the port. */
function carry(socket: WebSocket, port: number): void {
  forwarded.open++;
  forwarded.ever++;
  const there = connect(port, "127.0.0.1");
  for (const channel of [0, 1]) socket.send(Buffer.of(channel, 7051 & 0xff, 7051 >> 8));
  there.on("error", () => socket.close());
  there.on("data", (bytes: Buffer) => socket.send(Buffer.concat([Buffer.of(0), bytes])));
  socket.on("message", (message: Buffer) => there.write(message.subarray(1)));
  socket.once("close", () => {
    forwarded.open--;
    there.destroy();
  });
}

function sendBlock(stream: Stream): void {
  const response = new peer.DeliverResponse();
  response.setBlock(new common.Block());
  stream.write(response);
  stream.end();
}

async function ask(): Promise<common.Block> {
  const connection = await network.connection(peer0, signal);
  return fetchBlock({ connection, identity, signal, timeout: Infinity }, "peer", "mychannel", "newest");
}

/** In steps within which the pings of an open stream are answered. */
async function pass(minutes: number): Promise<void> {
  for (let step = 0; step < minutes * 6; step++) {
    vi.advanceTimersByTime(10_000);
    await turns(2);
  }
}

test("a connection that is idle for some minutes ends its stream at the API server; who asks again has another", async () => {
  await ask();
  await pass(4);
  expect(forwarded).toEqual({ open: 1, ever: 1 });
  await pass(2);
  await expect.poll(() => forwarded.open).toBe(0);
  await ask();
  expect(forwarded).toEqual({ open: 1, ever: 2 });
});

test("one over which somebody waits for a block stays, however long that takes", async () => {
  const waiting = Promise.withResolvers<Stream>();
  onDeliver = waiting.resolve;
  const block = ask();
  const stream = await waiting.promise;
  await pass(15);
  expect(forwarded).toEqual({ open: 1, ever: 1 });
  sendBlock(stream);
  expect(await block).toBeInstanceOf(common.Block);
});

test("closing the network ends what is in use, too", async () => {
  const waiting = Promise.withResolvers<Stream>();
  onDeliver = waiting.resolve;
  const failure = ask().catch((error: unknown) => error);
  await waiting.promise;
  await network.close();
  expect(await failure).toBeInstanceOf(FabricError);
  await expect.poll(() => forwarded.open).toBe(0);
});
