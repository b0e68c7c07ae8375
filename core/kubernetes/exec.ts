import { buffer } from "node:stream/consumers";
import type { WebSocket } from "ws";
import { FabricError } from "../error.ts";
import { ChannelStream, lost, type ChannelProtocol } from "./channel-stream.ts";
import type { V1Status } from "./client-node.ts";
import type { Cluster } from "./cluster.ts";
import { knownResources, resourcePath, type Resource } from "./resources.ts";

/** A command within a container. */
export interface ExecTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  /** Whether the command has a standard input; true unless given. */
  readonly stdin?: boolean | undefined;
}

export interface ExitStatus {
  readonly code: number;
  /** The last 16 KiB. */
  readonly stderr: string;
}

// Channels of remotecommand (k8s.io/apimachinery pkg/util/remotecommand/constants.go).
const stdinChannel = 0;
const stdoutChannel = 1;
const stderrChannel = 2;
const statusChannel = 3;
/** v5 only (KEP-4006): ends one stream while the others go on. */
const closeChannel = 255;
const v5 = "v5.channel.k8s.io";
const v4 = "v4.channel.k8s.io";

const stderrBytes = 16 * 1024;

/** A running command: writes go to its standard input, reads come from its standard output. */
export class ExecStream extends ChannelStream {
  /** The command's exit; rejects when the stream fails. A stream that is not read does not end. */
  readonly exit: Promise<ExitStatus>;

  constructor(socket: WebSocket, protocol: ExecProtocol, signal?: AbortSignal) {
    super(socket, protocol, signal);
    this.exit = protocol.exit;
    this.once("close", () => protocol.abandon(this.errored));
  }
}

/**
 * Runs a command in a container. `end()` closes its standard input (before Kubernetes 1.30 the connection, after a second of silence).
 * Throws ApiError `not-found` without Pod, `invalid` without such a container, `forbidden` without the right to exec;
 * a command that is not in the container fails the stream and `exit` with `not-found`.
 */
export async function execStream(cluster: Cluster, target: ExecTarget, signal?: AbortSignal): Promise<ExecStream> {
  const { namespace, pod, container, command, stdin = true } = target;
  const path = `${resourcePath(knownResources.get("Pod") as Resource, namespace, pod)}/exec`;
  const query = { container, command, stdin, stdout: true, stderr: true };
  const socket = await cluster.webSocket(path, query, [v5, v4], signal);
  return new ExecStream(socket, new ExecProtocol(target, socket.protocol), signal);
}

export interface Captured extends ExitStatus {
  readonly stdout: Buffer;
}

/** Runs a short command to its end, whatever its exit code. `stdin` is all of its input. */
export async function execCapture(
  cluster: Cluster,
  target: ExecTarget,
  { stdin, signal }: { readonly stdin?: Buffer | string | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<Captured> {
  const stream = await execStream(cluster, { ...target, stdin: stdin !== undefined }, signal);
  stream.end(stdin);
  const [stdout, exit] = await Promise.all([buffer(stream), stream.exit]);
  return { stdout, ...exit };
}

/** The channels of an exec. */
export class ExecProtocol implements ChannelProtocol {
  readonly input: number | undefined;
  readonly output = stdoutChannel;
  readonly endOfInput: Buffer | undefined;
  readonly exit: Promise<ExitStatus>;
  readonly #target: ExecTarget;
  readonly #settle = Promise.withResolvers<ExitStatus>();
  #stderr = Buffer.alloc(0);
  #status: V1Status | undefined;

  constructor(target: ExecTarget, protocol: string) {
    this.#target = target;
    const { stdin = true } = target;
    this.input = stdin ? stdinChannel : undefined;
    this.endOfInput = stdin && protocol === v5 ? Buffer.of(closeChannel, stdinChannel) : undefined;
    this.exit = this.#settle.promise;
    // A caller need not read `exit`: its rejection must not be unhandled.
    this.exit.catch(() => {});
  }

  onOther(channel: number, payload: Buffer): Error | undefined {
    if (channel === stderrChannel) {
      this.#stderr = Buffer.concat([this.#stderr, payload]).subarray(-stderrBytes);
    } else if (channel === statusChannel && payload.length > 0) {
      this.#status = JSON.parse(payload.toString()) as V1Status;
    }
    return undefined;
  }

  onClose(code: number, reason: string): Error | undefined {
    const ended = this.#outcome() ?? lost(reason || `closed with code ${code}`);
    if (ended instanceof Error) return ended;
    this.#settle.resolve(ended);
    return undefined;
  }

  /** Rejects `exit` when the stream was closed without one. */
  abandon(error: Error | null): void {
    this.#settle.reject(error ?? lost("it was closed"));
  }

  #outcome(): ExitStatus | Error | undefined {
    if (!this.#status) return undefined;
    const code = exitCode(this.#status);
    if (code !== undefined) return { code, stderr: this.#stderr.toString() };
    return notStarted(this.#target, this.#status.message ?? "no reason given");
  }
}

/** The exit code in a Status; undefined when the command never ran. */
export function exitCode(status: V1Status): number | undefined {
  if (status.status === "Success") return 0;
  const cause = status.details?.causes?.find(({ reason }) => reason === "ExitCode");
  const code = Number(cause?.message);
  return cause && Number.isInteger(code) ? code : undefined;
}

function notStarted({ namespace, pod, container, command }: ExecTarget, message: string): FabricError {
  const missing = /not found|no such file/i.test(message);
  return new FabricError(
    missing ? "not-found" : "connection",
    `expected to run ${command[0] ?? ""} in container ${container} of Pod ${namespace}/${pod}, got: ${message}`,
    { hint: { kubectl: ["get", "pod", pod, "-n", namespace, "-o", "wide"] } },
  );
}
