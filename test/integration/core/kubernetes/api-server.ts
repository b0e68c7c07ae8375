import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import { newCluster, type Cluster } from "../../../../core/kubernetes/cluster.ts";
import { readKubeconfigFile } from "../../../../core/kubernetes/kubeconfig-file.ts";
import { chooseContext } from "../../../../core/kubernetes/kubeconfig.ts";

/** A loopback server that answers as a test says, for what a real API server cannot be made to do. */
export interface ScriptedServer {
  readonly url: string;
  readonly cluster: Cluster;
  /** Connections accepted so far. */
  readonly connections: () => number;
  close(): Promise<void>;
}

export interface Script {
  readonly onRequest?: (request: IncomingMessage, response: ServerResponse) => void;
  readonly onSocket?: (socket: WebSocket, request: IncomingMessage) => void;
  /** Instead of a handshake. */
  readonly onUpgrade?: (connection: Duplex) => void;
  /** What it speaks, best first; v5 and v4 unless told. */
  readonly protocols?: readonly string[];
}

export async function serve(
  { onRequest, onSocket, onUpgrade, protocols = [v5, v4] }: Script,
  options: Parameters<typeof newCluster>[1] = {},
): Promise<ScriptedServer> {
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer((request, response) => {
    if (onRequest) onRequest(request, response);
    else response.writeHead(404).end();
  });
  server.on("connection", (socket) => {
    connections++;
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false,
  });
  server.on("upgrade", (request: IncomingMessage, connection: Duplex, head: Buffer) => {
    if (onUpgrade) onUpgrade(connection);
    else if (!onSocket) {
      connection.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    } else sockets.handleUpgrade(request, connection, head, (socket) => onSocket(socket, request));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cluster = clusterAt(url, {}, {}, options);
  return {
    url,
    cluster,
    connections: () => connections,
    close: async () => {
      cluster.close();
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const v5 = "v5.channel.k8s.io";
export const v4 = "v4.channel.k8s.io";

/** A cluster at an address, without credentials unless told. Fields are a kubeconfig's. */
export function clusterAt(
  server: string,
  user: object = {},
  cluster: object = {},
  options: Parameters<typeof newCluster>[1] = {},
): Cluster {
  const kubeconfig = JSON.stringify({
    clusters: [{ name: "scripted", cluster: { server, ...cluster } }],
    users: [{ name: "ann", user }],
    contexts: [{ name: "scripted", context: { cluster: "scripted", user: "ann" } }],
  });
  const files = [readKubeconfigFile(kubeconfig, "the test's kubeconfig")];
  return newCluster(chooseContext(files, { name: "scripted", env: process.env }), options);
}

export function answerJson(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}
