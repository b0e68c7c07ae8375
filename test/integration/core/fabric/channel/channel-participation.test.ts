import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { common } from "@hyperledger/fabric-protos";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createCertificateAuthority,
  type Credential,
  issueTlsCertificate,
} from "../../../../../core/fabric/identity/certificate-authority.ts";
import {
  joinOrderer,
  ordererChannel,
  ordererChannels,
  removeOrderer,
} from "../../../../../core/fabric/channel/channel-participation.ts";
import type { Endpoint } from "../../../../../core/fabric/node/endpoint.ts";

// What a real orderer answers only in rare moments.

let server: Server;
let endpoint: Endpoint;
let answer: { status: number; body?: string; after?: Promise<void> } = { status: 200 };
let asked: { method?: string | undefined; url?: string | undefined; body: string; type?: string | undefined };

beforeAll(async () => {
  const now = new Date();
  const authority = await createCertificateAuthority({ commonName: "tlsca", organization: "o", now });
  const issue = (commonName: string, hosts: readonly string[]): Promise<Credential> =>
    issueTlsCertificate(authority, { commonName, hosts, now });
  const [own, client] = await Promise.all([issue("orderer0", ["orderer0.orderers"]), issue("admin", [])]);
  const tls = { cert: own.certificate, key: own.privateKey, ca: authority.certificate, requestCert: true };
  server = createServer(tls, (request, response) => {
    const chunks: Uint8Array[] = [];
    request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url, headers } = request;
      asked = { method, url, type: headers["content-type"], body: Buffer.concat(chunks).toString("latin1") };
      void (answer.after ?? Promise.resolve()).then(() => response.writeHead(answer.status).end(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endpoint = {
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    serverName: "orderer0.orderers",
    tlsRootCertificates: authority.certificate,
    client,
  };
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

describe("channel participation", () => {
  test("asks as osnadmin does", async () => {
    answer = { status: 201, body: "{}" };
    const block = new common.Block();
    block.setData(new common.BlockData());
    expect(await joinOrderer(endpoint, block)).toBe(true);
    expect(asked).toMatchObject({ method: "POST", url: "/participation/v1/channels" });
    expect(asked.type).toMatch(/^multipart\/form-data; boundary=/);
    expect(asked.body).toMatch(/name="config-block"; filename="config.block"/);
    answer = { status: 204 };
    expect(await removeOrderer(endpoint, "mychannel")).toBe(true);
    expect(asked).toMatchObject({ method: "DELETE", url: "/participation/v1/channels/mychannel" });
  });

  test("reads channels, none included", async () => {
    answer = { status: 200, body: '{"systemChannel":null,"channels":null}' };
    expect(await ordererChannels(endpoint)).toEqual([]);
    answer = { status: 200, body: '{"systemChannel":null,"channels":[{"name":"b"},{"name":"a"}]}' };
    expect(await ordererChannels(endpoint)).toEqual(["a", "b"]);
  });

  test.each([
    [409, '{"error":"cannot join: channel pending removal"}', "not-ready", "pending removal (HTTP 409)", /try again/],
    [503, '{"error":"channel participation API is disabled"}', "rejected", "API is disabled", /CHANNELPARTICIPATION/],
    [405, '{"error":"cannot join: system channel exists"}', "rejected", "system channel exists", /^$/],
    [400, '{"error":"invalid join block"}', "rejected", "invalid join block (HTTP 400)", /^$/],
    [404, "404 page not found\n", "rejected", "404 page not found (HTTP 404)", /admin port/],
    [500, "", "rejected", "no reason given (HTTP 500)", /^$/],
  ])("HTTP %i %s is %s", async (status, body, code, message, hint) => {
    answer = { status, body };
    await expect(joinOrderer(endpoint, new common.Block())).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
    const error = await joinOrderer(endpoint, new common.Block()).catch((thrown: { hint?: string }) => thrown);
    expect(typeof error === "object" ? (error.hint ?? "") : "").toMatch(hint);
  });

  test("refuses what is no JSON, and names that no channel has", async () => {
    answer = { status: 200, body: "<html>" };
    await expect(ordererChannel(endpoint, "mychannel")).rejects.toMatchObject({ code: "invalid" });
    await expect(ordererChannel(endpoint, "../etc")).rejects.toMatchObject({ code: "usage" });
    await expect(removeOrderer(endpoint, "A")).rejects.toMatchObject({ code: "usage" });
  });

  test("ends when it takes too long, or when it is interrupted", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    answer = { status: 200, body: "{}", after: promise };
    await expect(ordererChannels(endpoint, { timeout: 50 })).rejects.toMatchObject({ code: "timeout" });
    const controller = new AbortController();
    const asking = ordererChannels(endpoint, { signal: controller.signal });
    controller.abort();
    await expect(asking).rejects.toMatchObject({ code: "interrupted" });
    resolve();
  });

  test("says when nobody is there", async () => {
    await expect(ordererChannels({ ...endpoint, port: 1 })).rejects.toMatchObject({
      code: "connection",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });
});
