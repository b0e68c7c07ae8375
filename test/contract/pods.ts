import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { PeerNode } from "../integration/emulator/network/network.ts";
import { answerJson, serve, type ScriptedServer } from "../integration/core/kubernetes/api-server.ts";

/** A peer's process as a Pod, and the daemon that its sidecar would be. */
export interface PeerInPod {
  readonly node: PeerNode;
  readonly pod: string;
  /** Path of the daemon's socket. */
  readonly socket: string;
}

const podNamespace = "peers";

/**
 * An API server for peers that are processes of this machine: it lists them as Pods with our sidecar, carries port-forwards to their
 * ports, exec of `docker system dial-stdio` to the daemon's socket, runs a command of the peer's container, and has the peer's log. All
 * else is an empty list.
 */
export function servePods(peers: readonly PeerInPod[]): Promise<ScriptedServer> {
  return serve({
    protocols: ["v5.channel.k8s.io", "v4.channel.k8s.io"],
    onRequest: (request: IncomingMessage, response: ServerResponse) => {
      const path = request.url?.replace(/\?.*/, "");
      const logged = peers.find(({ pod }) => path === `/api/v1/namespaces/${podNamespace}/pods/${pod}/log`);
      if (logged) {
        response.writeHead(200, { "content-type": "text/plain" }).end(logged.node.process.output());
        return;
      }
      const items = path === "/api/v1/pods" ? peers.map(podOf) : [];
      answerJson(response, { kind: "List", metadata: { resourceVersion: "1" }, items });
    },
    onSocket: (socket, request) => {
      const url = new URL(request.url ?? "/", "http://server");
      const peer = peers.find(({ pod }) => url.pathname.includes(`/pods/${pod}/`));
      if (!peer) return socket.close(1011, "no such Pod");
      const container = url.searchParams.get("container");
      if (url.pathname.endsWith("/exec") && container === "peer") {
        void runIn(peer, url.searchParams.getAll("command"), socket);
      } else if (url.pathname.endsWith("/exec")) carryExec(socket, connect(peer.socket));
      else carryPort(socket, Number(url.searchParams.get("ports")));
    },
  });
}

function podOf({ node, pod }: PeerInPod): object {
  const env = [
    { name: "CORE_PEER_ID", value: podPeerId(node) },
    { name: "CORE_PEER_LOCALMSPID", value: node.organization.mspId },
    // A name, as in the certificate.
    { name: "CORE_PEER_ADDRESS", value: node.address.replace("127.0.0.1", "localhost") },
    { name: "CORE_PEER_LISTENADDRESS", value: node.address },
    { name: "CORE_PEER_TLS_ENABLED", value: "true" },
  ];
  return {
    metadata: { name: pod, namespace: podNamespace, uid: pod },
    spec: {
      initContainers: [{ name: "kubectl-fabric-dind", image: "docker:28-dind", restartPolicy: "Always" }],
      containers: [{ name: "peer", image: "fabric-peer", command: ["peer", "node", "start"], env }],
    },
    status: { phase: "Running" },
  };
}

/** As the network starts its peers: one for each organization. */
const podPeerId = ({ organization }: PeerNode): string => `peer0.${organization.mspId}`;

const [stdinChannel, stdoutChannel, stderrChannel, statusChannel, closeChannel] = [0, 1, 2, 3, 255];

/** As in the peer's container: of all processes of this machine it sees that of the peer alone. */
async function runIn({ node }: PeerInPod, command: readonly string[], socket: WebSocket): Promise<void> {
  const seen = `/proc/${node.process.pid()}`;
  const [program = "", ...args] = command.map((word) => word.replaceAll("/proc/[0-9]*", seen));
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  child.stderr.on("data", (bytes: Buffer) => socket.send(Buffer.concat([Buffer.of(stderrChannel), bytes])));
  const [code] = (await once(child, "close")) as [number];
  const causes = [{ reason: "ExitCode", message: String(code) }];
  const status = code === 0 ? { status: "Success" } : { status: "Failure", details: { causes } };
  socket.send(Buffer.concat([Buffer.of(statusChannel), Buffer.from(JSON.stringify(status))]));
  socket.close(1000);
}

/** The first byte of a message is its channel (k8s.io/apimachinery, pkg/util/httpstream/wsstream). */
function carryExec(socket: WebSocket, daemon: Duplex): void {
  const send = (channel: number, bytes: Buffer) => socket.send(Buffer.concat([Buffer.of(channel), bytes]));
  daemon.on("data", (bytes: Buffer) => send(stdoutChannel, bytes));
  daemon.on("error", () => socket.close(1011));
  daemon.on("close", () => {
    send(statusChannel, Buffer.from(JSON.stringify({ status: "Success" })));
    socket.close(1000);
  });
  socket.on("message", (message: Buffer) => {
    if (message[0] === stdinChannel) daemon.write(message.subarray(1));
    else if (message[0] === closeChannel) daemon.end();
  });
  socket.on("close", () => daemon.destroy());
}

function carryPort(socket: WebSocket, port: number): void {
  const remote = connect(port, "127.0.0.1");
  const prefix = Buffer.from([port & 255, port >> 8]);
  for (const channel of [0, 1]) socket.send(Buffer.concat([Buffer.of(channel), prefix]));
  remote.on("data", (bytes: Buffer) => socket.send(Buffer.concat([Buffer.of(0), bytes])));
  remote.on("error", (error) => socket.send(Buffer.concat([Buffer.of(1), Buffer.from(error.message)])));
  remote.on("close", () => socket.close(1000));
  socket.on("message", (message: Buffer) => remote.write(message.subarray(1)));
  socket.on("close", () => remote.destroy());
}
