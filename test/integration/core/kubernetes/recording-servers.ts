// What a client sends to an API server, and on which way: servers and proxies on loopback that write it down.
import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { generate } from "selfsigned";

/** One request, as it arrived. */
export interface Sent {
  readonly path: string;
  readonly authorization?: string;
  /** Headers by what follows "impersonate-", several values joined. */
  readonly impersonate?: Readonly<Record<string, string>>;
  /** The common name of the client certificate. */
  readonly certificate?: string;
  /** The name that the client asked for in its TLS handshake. */
  readonly serverName?: string;
  /** "CONNECT host:port", with the proxy's credentials behind it. */
  readonly proxy?: string;
}

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface RecordingServers {
  readonly tlsPort: number;
  readonly httpPort: number;
  readonly proxyPort: number;
  readonly tlsProxyPort: number;
  readonly socksPort: number;
  /** Whom the server with TLS is known by. It is 127.0.0.1, 0.0.0.0, localhost, and api.lab.example behind a proxy. */
  readonly authority: KeyPair;
  /** What has arrived since the last look. */
  taken(): readonly Sent[];
  close(): Promise<void>;
}

export async function startRecordingServers(): Promise<RecordingServers> {
  const sent: Sent[] = [];
  const proxied: string[] = [];
  const open = new Set<Socket>();
  const authority = await pairFor("api", ["localhost", "api.lab.example"], ["127.0.0.1", "0.0.0.0"]);

  const record = (request: IncomingMessage): void => void sent.push(sentBy(request, proxied));
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    record(request);
    response.writeHead(200, { "content-type": "application/json" }).end('{"gitVersion":"v1.33.0"}');
  };
  const refuse = (request: IncomingMessage, socket: Duplex): void => {
    record(request);
    socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
  };
  const options = { ...authority, requestCert: true, rejectUnauthorized: false };
  const tls = createTlsServer(options, answer).on("upgrade", refuse);
  const http = createHttpServer(answer).on("upgrade", refuse);
  const toServer = (client: Duplex): void => relay(client, connect((tls.address() as AddressInfo).port, "127.0.0.1"));
  const tunnel = (request: IncomingMessage, client: Duplex): void => {
    proxied.push(proxyLine(request));
    client.write("HTTP/1.1 200 OK\r\n\r\n");
    toServer(client);
  };
  const tlsProxy = createTlsServer(authority).on("connect", tunnel);
  const proxy = createHttpServer((request, response) => {
    proxied.push(proxyLine(request));
    answer(request, response);
  })
    .on("connect", tunnel)
    .on("upgrade", (request: IncomingMessage, socket: Duplex) => {
      proxied.push(proxyLine(request));
      refuse(request, socket);
    });
  const socks = createServer((client) => void greet(client, proxied).then(() => toServer(client)));

  const servers: readonly Server[] = [tls, http, proxy, tlsProxy, socks];
  for (const server of servers) {
    server.on("connection", (socket: Socket) => {
      open.add(socket);
      socket.once("close", () => open.delete(socket)).on("error", () => socket.destroy());
    });
    server.listen(0, "0.0.0.0");
    await once(server, "listening");
  }
  const [tlsPort = 0, httpPort = 0, proxyPort = 0, tlsProxyPort = 0, socksPort = 0] = servers.map(
    (server) => (server.address() as AddressInfo).port,
  );
  return {
    tlsPort,
    httpPort,
    proxyPort,
    tlsProxyPort,
    socksPort,
    authority,
    taken: () => {
      proxied.splice(0);
      return sent.splice(0);
    },
    close: async () => {
      for (const socket of open) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

/** A certificate that is its own authority, valid for years, and its key. */
export async function pairFor(name: string, names: readonly string[] = [], ips: readonly string[] = []) {
  const { cert, private: key } = await generate([{ name: "commonName", value: name }], {
    algorithm: "sha256",
    keyType: "ec",
    notBeforeDate: new Date("2020-01-01"),
    notAfterDate: new Date("2090-01-01"),
    extensions: [
      { name: "basicConstraints", cA: true },
      {
        name: "subjectAltName",
        altNames: [
          ...names.map((value) => ({ type: 2 as const, value })),
          ...ips.map((ip) => ({ type: 7 as const, ip })),
        ],
      },
    ],
  });
  return { cert, key };
}

function sentBy({ url = "", headers, socket }: IncomingMessage, proxied: readonly string[]): Sent {
  const impersonate = Object.entries(headers).flatMap(([name, value]) =>
    name.startsWith("impersonate-") ? [[name.slice("impersonate-".length), asUtf8(String(value))] as const] : [],
  );
  const { servername } = socket as Partial<TLSSocket>;
  const certificate = (socket as Partial<TLSSocket>).getPeerCertificate?.().subject?.CN;
  const proxy = proxied.at(-1);
  return {
    path: url.replace(/^http:\/\/[^/]+/, "").replace(/\?.*/, ""),
    ...(headers.authorization === undefined ? {} : { authorization: headers.authorization }),
    ...(impersonate.length === 0 ? {} : { impersonate: Object.fromEntries(impersonate) }),
    ...(typeof certificate === "string" ? { certificate } : {}),
    ...(servername ? { serverName: servername } : {}),
    ...(proxy === undefined ? {} : { proxy }),
  };
}

/** Node reads headers as Latin-1. */
const asUtf8 = (header: string): string => Buffer.from(header, "latin1").toString("utf8");

function proxyLine({ method = "", url = "", headers }: IncomingMessage): string {
  const [, credentials] = (headers["proxy-authorization"] ?? "").split(" ");
  const as = credentials === undefined ? "" : ` as ${Buffer.from(credentials, "base64").toString()}`;
  return `${method === "CONNECT" ? "CONNECT" : "http"} ${url.replace(/^(http:\/\/[^/]+).*/, "$1")}${as}`;
}

function relay(client: Duplex, server: Socket): void {
  client.pipe(server).pipe(client);
  for (const one of [client, server]) {
    one.on("error", () => {
      client.destroy();
      server.destroy();
    });
  }
}

/** Takes the greeting of a SOCKS client (RFC 1928, RFC 1929) and says yes to what it wants. */
async function greet(client: Socket, proxied: string[]): Promise<void> {
  const methods = await next(client);
  const isNamed = methods.subarray(2).includes(2);
  client.write(Buffer.of(5, isNamed ? 2 : 0));
  let as = "";
  if (isNamed) {
    const login = await next(client);
    const user = login.subarray(2, 2 + (login[1] ?? 0));
    as = ` as ${user.toString()}:${login.subarray(3 + user.length).toString()}`;
    client.write(Buffer.of(1, 0));
  }
  const wanted = await next(client);
  const isName = wanted[3] === 3;
  const host = isName ? wanted.subarray(5, 5 + (wanted[4] ?? 0)).toString() : [...wanted.subarray(4, 8)].join(".");
  proxied.push(`SOCKS ${host}:${wanted.readUInt16BE(wanted.length - 2)}${as}`);
  client.write(Buffer.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
}

async function next(client: Socket): Promise<Buffer> {
  client.resume();
  const [data] = (await once(client, "data")) as [Buffer];
  client.pause();
  return data;
}
