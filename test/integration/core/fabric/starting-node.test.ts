// A node that has just started: its Pod runs, and a forwarded port of it takes connections that nobody in it serves yet.
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server as NetServer } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FabricError, LostConnection } from "../../../../core/error.ts";
import {
  createCertificateAuthority,
  issueEnrolmentCertificate,
  issueTlsCertificate,
} from "../../../../core/fabric/identity/certificate-authority.ts";
import { openGateway } from "../../../../core/fabric/node/gateway.ts";
import { ordererChannels } from "../../../../core/fabric/channel/channel-participation.ts";
import type { Endpoint } from "../../../../core/fabric/node/endpoint.ts";
import type { NodeClient } from "../../../../core/fabric/node/node-client.ts";
import { connectNode } from "../../../../core/fabric/node/node-connection.ts";
import { installedPackage } from "../../../../core/fabric/chaincode/lifecycle.ts";
import { peerChannels } from "../../../../core/fabric/channel/peer-channels.ts";
import { newSigningIdentity, type SigningIdentity } from "../../../../core/fabric/identity/signing-identity.ts";
import type { StepEvent } from "../../../../core/engine/report.ts";
import { runToEnd } from "../../../run-to-end.ts";
import { typedAs } from "../../../typed-as.ts";

/** A node that answers every call with UNIMPLEMENTED: whoever hears that has reached it. */
const node = new Server();
let forward: NetServer;
let endpoint: Endpoint;
let identity: SigningIdentity;
/** So many connections are closed before the node listens. */
let closed = 0;
/** How: by a reset, or properly, in the midst of the handshake. */
let properly = false;

beforeAll(async () => {
  const now = new Date();
  const authority = await createCertificateAuthority({ commonName: "tlsca", organization: "o", now });
  const tls = await issueTlsCertificate(authority, { commonName: "peer0", hosts: ["peer0.org1"], now });
  identity = newSigningIdentity(
    "Org1MSP",
    await issueEnrolmentCertificate(authority, { commonName: "a", role: "admin", now }),
  );
  const pair = { cert_chain: Buffer.from(tls.certificate), private_key: Buffer.from(tls.privateKey) };
  const port = await new Promise<number>((resolve, reject) => {
    node.bindAsync("127.0.0.1:0", ServerCredentials.createSsl(null, [pair]), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  forward = createServer((socket) => {
    socket.on("error", () => {});
    if (closed-- > 0) return void (properly ? socket.end() : socket.resetAndDestroy());
    const target = connect(port, "127.0.0.1");
    target.on("error", () => socket.destroy());
    socket.pipe(target).pipe(socket);
  });
  forward.listen(0, "127.0.0.1");
  await once(forward, "listening");
  endpoint = {
    host: "127.0.0.1",
    port: (forward.address() as AddressInfo).port,
    serverName: "peer0.org1",
    tlsRootCertificates: authority.certificate,
  };
});

afterAll(() => {
  forward.close();
  node.forceShutdown();
});

async function withClient<T>(use: (client: NodeClient) => Promise<T>): Promise<T> {
  const connection = connectNode(endpoint);
  try {
    return await use({ connection, identity });
  } finally {
    connection.close();
  }
}

describe("a node that does not listen yet", () => {
  test.each([true, false])("is a connection that was lost, by gRPC and by HTTPS; ended properly: %s", async (ends) => {
    [closed, properly] = [100, ends];
    const failures = await Promise.all([
      withClient(peerChannels).catch((error: unknown) => error),
      ordererChannels(endpoint).catch((error: unknown) => error),
    ]);
    expect(failures.map((failure) => failure instanceof LostConnection)).toEqual([true, true]);
  });

  test("is asked again by a step, until it listens", async () => {
    [closed, properly] = [2, false];
    const events: StepEvent[] = [];
    const report = await withClient((client) => {
      const observe = async () => {
        await peerChannels(client).catch((error: unknown) => {
          if (!(error instanceof FabricError) || error.code !== "rejected") throw error;
        });
        return { is: "so" } as const;
      };
      const step = { id: "a", title: "a", after: [], observe, act: () => Promise.resolve() };
      return runToEnd([step], { onEvent: (event) => events.push(event) });
    });
    expect(report).toMatchObject({ unchanged: 1 });
    expect(events.some(({ type }) => type === "again")).toBe(true);
  });

  const refused = new FabricError("connection", "port 7051 of Pod org1/peer0-0: connection refused", {
    hint: "its log",
  });
  const forbidden = new FabricError("forbidden", "cannot create pods/portforward", { hint: "a role" });
  test.each([
    [refused, true],
    [new FabricError("cluster-unreachable", "no answer", { hint: "is it up?" }), true],
    [forbidden, false],
    [new FabricError("not-ready", "no running Pod", { hint: "doctor" }), true],
  ])("is told in the words of the forward: %s; whether that passes: %s", async (failure, passes) => {
    closed = 100;
    const through = { ...endpoint, lastFailure: () => failure };
    const connection = connectNode(through);
    const call = { channel: "mychannel", chaincode: "asset", function: "ReadAsset" };
    const failures = [
      await peerChannels({ connection, identity }).catch((error: unknown) => error),
      await ordererChannels(through).catch((error: unknown) => error),
      await openGateway({ connection, identity })
        .evaluate(call)
        .catch((error: unknown) => error),
    ];
    connection.close();
    // A transaction may not be sent twice by whoever does not know it.
    expect(failures.map((each) => each instanceof LostConnection)).toEqual([passes, passes, false]);
    for (const each of failures) {
      expect(each).toMatchObject({
        code: passes ? "connection" : failure.code,
        message: expect.stringMatching(new RegExp(`: ${failure.message}$`)),
        hint: failure.hint,
      });
    }
  });

  test("sends no events, which is told when they are waited for", async () => {
    [closed, properly] = [100, false];
    const lastFailure = () => new FabricError("connection", "connection refused", { hint: "its log" });
    const connection = connectNode({ ...endpoint, lastFailure });
    const events = await openGateway({ connection, identity }).chaincodeEvents("mychannel", "asset");
    await expect(events[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: "connection",
      message: expect.stringMatching(/^events of asset on mychannel by peer0.org1 .*: connection refused$/),
      hint: "its log",
    });
    connection.close();
  });

  test("that its Pod is not found says nothing of a package", async () => {
    [closed, properly] = [100, false];
    const lastFailure = () => new FabricError("not-found", 'pods "peer0-0" not found');
    const connection = connectNode({ ...endpoint, lastFailure });
    const failure: unknown = await installedPackage({ connection, identity }, "asset:1").catch(
      (error: unknown) => error,
    );
    connection.close();
    expect(failure).toBeInstanceOf(LostConnection);
  });

  test("with a certificate of somebody else is not: no time changes that", async () => {
    closed = 0;
    const other = await createCertificateAuthority({ commonName: "tlsca", organization: "other", now: new Date() });
    const connection = connectNode({ ...endpoint, tlsRootCertificates: other.certificate });
    const failure: unknown = await peerChannels({ connection, identity }).catch((error: unknown) => error);
    connection.close();
    expect(failure).toMatchObject({
      code: "connection",
      hint: typedAs(expect.stringMatching(/TLS authority vouches for/)),
    });
    expect(failure).not.toBeInstanceOf(LostConnection);
  });
});
