import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { FabricError } from "../error.ts";
import type { Remedy } from "../remedy.ts";
import { abortError } from "./abort.ts";
import { ChannelStream, lost, type ChannelProtocol } from "./channel-stream.ts";
import type { V1Pod } from "./client-node.ts";
import type { Cluster } from "./cluster.ts";
import { podReady } from "./conditions.ts";
import { describeRef, get, list, selectionQuery } from "./objects.ts";
import { knownResources, resourcePath, type Resource } from "./resources.ts";

/** A port of a Pod. */
export interface PodPort {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

/** The target of a forward: a Pod by its name, or a Pod of a workload or selector, chosen for each connection (a ready one if any). */
export type ForwardTarget =
  | PodPort
  | {
      readonly namespace: string;
      readonly labels: Readonly<Record<string, string>> | string;
      readonly port: number;
      /** The target's name for people: "peer0.org1". */
      readonly called?: string;
      /** What to do where no Pod runs, by whether there is one at all. */
      readonly remedy?: (isThere: boolean) => Remedy;
    }
  | {
      readonly namespace: string;
      readonly workload: "StatefulSet" | "Deployment";
      readonly name: string;
      readonly port: number;
    };

/** A local port that leads into the cluster. */
export interface Forward {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** Why the last connection failed, if it did: a client of the local port sees only a reset. */
  readonly lastFailure: () => FabricError | undefined;
  /** Ends the listener and every connection. */
  close(): Promise<void>;
}

/** Channels of one port (kubernetes pkg/kubelet/cri/streaming/portforward/websocket.go): data, then error. */
const dataChannel = 0;
const errorChannel = 1;
const protocols = ["v4.channel.k8s.io"];
/** Each channel begins with the port's number. */
const portBytes = 2;

/**
 * A connection to a port within a Pod. A later refusal ("connection refused") is an error of the stream.
 * The protocol cannot tell the Pod that our side has ended: `end()` closes the connection when the Pod has been silent for a second.
 * Throws ApiError `not-found` without Pod, `forbidden` without the right to portforward; `connection` when the Pod does not run.
 */
export async function openPort(cluster: Cluster, target: PodPort, signal?: AbortSignal): Promise<Duplex> {
  const path = `${resourcePath(knownResources.get("Pod") as Resource, target.namespace, target.pod)}/portforward`;
  const socket = await cluster.webSocket(path, { ports: target.port }, protocols, signal);
  return new ChannelStream(socket, new PortProtocol(target), signal);
}

class PortProtocol implements ChannelProtocol {
  readonly input = dataChannel;
  readonly output = dataChannel;
  readonly #target: PodPort;
  readonly #prefix: Record<number, number> = { [dataChannel]: portBytes, [errorChannel]: portBytes };

  constructor(target: PodPort) {
    this.#target = target;
  }

  onOutput(payload: Buffer): Buffer {
    return this.#withoutPrefix(dataChannel, payload);
  }

  onOther(channel: number, payload: Buffer): Error | undefined {
    const message = channel === errorChannel ? this.#withoutPrefix(errorChannel, payload).toString().trim() : "";
    return message === "" ? undefined : refused(this.#target, message);
  }

  onClose(code: number, reason: string): Error | undefined {
    return isClean(code) ? undefined : lost(reason || `closed with code ${code}`);
  }

  #withoutPrefix(channel: number, payload: Buffer): Buffer {
    const skip = Math.min(this.#prefix[channel] ?? 0, payload.length);
    this.#prefix[channel] = (this.#prefix[channel] ?? 0) - skip;
    return payload.subarray(skip);
  }
}

/** 1000 and 1005 are proper ends. */
function isClean(code: number): boolean {
  return code === 1000 || code === 1005;
}

function refused({ namespace, pod, port }: PodPort, message: string): FabricError {
  const where = `port ${port} of Pod ${namespace}/${pod}`;
  if (message.includes("connection refused")) {
    return new FabricError("connection", `${where}: connection refused`, {
      hint: ["nothing listens on that port: ", { kubectl: ["logs", "-n", namespace, pod] }],
      cause: message,
    });
  }
  return new FabricError("connection", `${where}: ${message}`, { cause: message });
}

/**
 * Listens on a random port of 127.0.0.1. Each connection is carried on into the cluster; its Pod is looked up then, so a restarted Pod
 * is found again. A connection that cannot be made is reset.
 */
export async function forwardPort(cluster: Cluster, target: ForwardTarget, signal?: AbortSignal): Promise<Forward> {
  const ended = new AbortController();
  const connections = new Set<Promise<void>>();
  let failure: FabricError | undefined;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const connection = carry(cluster, target, client, ended.signal, (why) => (failure = why)).finally(() =>
      connections.delete(connection),
    );
    connections.add(connection);
  });
  const port = await listen(server, signal);
  const close = async () => {
    signal?.removeEventListener("abort", abort);
    ended.abort(new FabricError("interrupted", "the port-forward was closed"));
    await Promise.all([new Promise((resolve) => server.close(resolve)), ...connections]);
  };
  const abort = () => void close();
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) {
    // While it began to listen, when nobody heard of it.
    await close();
    throw abortError(signal, "the port-forward");
  }
  return { host: "127.0.0.1", port, lastFailure: () => failure, close };
}

/** Carries one connection until both sides have ended. Calls `note` with its failure, or with undefined once the connection is open. */
async function carry(
  cluster: Cluster,
  target: ForwardTarget,
  client: Socket,
  signal: AbortSignal,
  note: (failure: FabricError | undefined) => void,
): Promise<void> {
  // An error before the pipeline begins: the client has left.
  client.on("error", () => {});
  const gone = new AbortController();
  client.once("close", () => gone.abort());
  const either = AbortSignal.any([signal, gone.signal]);
  const failed = (error: unknown) => {
    // An end caused by the client, or by closing the forward, is no failure.
    if (!either.aborted && error instanceof FabricError) note(error);
    client.resetAndDestroy();
  };
  try {
    const pod = await resolveTarget(cluster, target, either);
    const remote = await openPort(cluster, pod, either);
    note(undefined);
    // This listener comes before the pipelines': they would end the client's stream normally, as if it were complete.
    remote.once("error", failed);
    await Promise.all([pipeline(client, remote, { end: true }), pipeline(remote, client)]);
  } catch (error) {
    failed(error);
  }
}

async function listen(server: Server, signal: AbortSignal | undefined): Promise<number> {
  if (signal?.aborted) throw abortError(signal, "the port-forward");
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** The Pod for a new connection: a ready one, else a running one. Throws `not-ready` when none runs, `not-found` without the workload. */
export async function resolveTarget(cluster: Cluster, target: ForwardTarget, signal?: AbortSignal): Promise<PodPort> {
  if ("pod" in target) return target;
  const { namespace, port } = target;
  const labels = "labels" in target ? target.labels : await selectorOf(cluster, target, signal);
  const pods = await list(cluster, { kind: "Pod", namespace, labels }, signal);
  const pod = pods.find((candidate) => podReady(candidate).so === true) ?? pods.find(isRunning);
  if (pod?.metadata?.name) return { namespace, pod: pod.metadata.name, port };
  const found = pods.length === 0 ? "none" : `${pods.length} not running`;
  const remedy = "labels" in target ? target.remedy?.(pods.length > 0) : undefined;
  throw new FabricError("not-ready", `expected a running Pod of ${nameOf(target)}, found ${found}`, {
    hint: remedy ?? [{ kubectl: ["get", "pods", "-n", namespace] }, "; once it runs, type the same command again"],
  });
}

/** For people. */
function nameOf(target: Exclude<ForwardTarget, PodPort>): string {
  if ("workload" in target) return `${target.workload} ${target.namespace}/${target.name}`;
  const { called, labels, namespace } = target;
  return called ?? `${selectionQuery({ kind: "Pod", labels }).labelSelector} in ${namespace}`;
}

function isRunning({ status, metadata }: V1Pod): boolean {
  return status?.phase === "Running" && metadata?.deletionTimestamp === undefined;
}

async function selectorOf(
  cluster: Cluster,
  { namespace, workload: kind, name }: Extract<ForwardTarget, { readonly workload: string }>,
  signal?: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const found = await get(cluster, { kind, namespace, name }, signal);
  const labels = found?.spec?.selector.matchLabels;
  if (labels) return labels;
  throw new FabricError("not-found", `expected ${describeRef({ kind, namespace, name })}, found none`, {
    hint: { kubectl: ["get", kind.toLowerCase(), "-n", namespace] },
  });
}
