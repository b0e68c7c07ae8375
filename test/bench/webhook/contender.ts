import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { request } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

/** A webhook to be measured: how its process is started. */
export interface Contender {
  readonly name: string;
  readonly argv: (port: number) => readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** CA of its certificate, once there is one. */
  readonly authority: () => string;
}

export interface RunningContender {
  readonly contender: Contender;
  readonly pid: number;
  readonly port: number;
  /** From the start of the process to its first answer. */
  readonly startMs: number;
  end(): Promise<void>;
}

export const serverName = "kubectl-fabric-webhook.kubectl-fabric-system.svc";

/** Servers have a core for themselves, as far as the machine is idle; everybody else is on the other. */
const serverCore = "0";
export const clientCore = "1";

const patienceMs = 30_000;

/** Starts a process on the servers' core and waits for its first answer. Its log goes to a file, as under a container runtime. */
export async function startContender(
  contender: Contender,
  body: string,
  log: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<RunningContender> {
  const port = await freePort();
  const output = openSync(log, "a");
  const begin = performance.now();
  const child = spawn("taskset", ["-c", serverCore, ...contender.argv(port)], {
    env: { ...process.env, ...contender.env },
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  while (!(await answers(port, contender, body))) {
    if (child.exitCode !== null || performance.now() - begin > patienceMs || signal.aborted) {
      await end(child);
      signal.throwIfAborted();
      throw new Error(`${contender.name} does not answer: see ${log}`);
    }
    await sleep(2);
  }
  return { contender, pid: pidOf(child), port, startMs: performance.now() - begin, end: () => end(child) };
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error("expected a process, found none");
  return pid;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

async function answers(port: number, { authority }: Contender, body: string): Promise<boolean> {
  const ca = authority();
  return ca !== "" && (await post(port, ca, body).catch(() => undefined)) !== undefined;
}

/** One review's answer. */
export function post(port: number, ca: string, body: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const options = {
    host: "127.0.0.1",
    port,
    path: "/inject",
    method: "POST",
    ca,
    servername: serverName,
    agent: false,
    headers: { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) },
  } as const;
  const outgoing = request(options, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    response.on("error", reject);
    response.on("end", () => (response.statusCode === 200 ? resolve(text) : reject(new Error(text))));
  });
  outgoing.on("error", reject).end(body);
  return promise;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
