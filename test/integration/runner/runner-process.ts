import { chmod, chown, copyFile, cp, link, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { bundleRunner } from "../../../build/bundle.ts";
import { endRemains } from "../../contract/remains.ts";
import { newLayout } from "../../sandbox/layout.ts";
import { buildPrograms, goBuilds, programsOf } from "../../sandbox/programs.ts";
import { silent } from "../../sandbox/progress.ts";
import { newProcess, type NodeProcess } from "../emulator/network/processes.ts";
import { freePorts } from "../free-ports.ts";

/** A runner of these tests alone, as an ordinary user. */
export interface TestRunner {
  /** As CORE_VM_ENDPOINT. */
  readonly endpoint: string;
  readonly socket: string;
  readonly state: string;
  /** http://127.0.0.1:... of /healthz and /metrics. */
  readonly probes: string;
  /** For kill -9 and another start. */
  readonly process: NodeProcess;
  /** Ends it and removes what it had. */
  stop(): Promise<void>;
}

/** Why there can be none here. */
export const noRunner: string | undefined = process.platform === "linux" ? undefined : "the runner needs Linux";

/** The kernel counts an ordinary user's processes and opens no other user's files: nobody else here has this one. */
const runnerUser = 64_123 + Number(process.env["VITEST_POOL_ID"] ?? 0);

const repository = join(import.meta.dirname, "../../..");
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Starts a runner with everything it needs in a directory of its own, which the ordinary user may read. One that cannot start leaves nothing. */
export async function startRunner(...flags: readonly string[]): Promise<TestRunner> {
  const runner = await newRunner(...flags);
  try {
    await runner.process.start();
  } catch (error) {
    await runner.stop();
    throw error;
  }
  return runner;
}

/** A runner that has not been started. */
export async function newRunner(...flags: readonly string[]): Promise<TestRunner> {
  await using starting = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "runner-"));
  starting.defer(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755);
  const [bin, state, run] = [join(folder, "bin"), join(folder, "state"), join(folder, "run")];
  for (const directory of [bin, state, run]) await mkdir(directory);
  await placePrograms(bin);
  await placeToolchains(join(folder, "toolchains"), bin);
  const asUser = process.getuid?.() === 0;
  if (asUser) {
    await chown(run, runnerUser, runnerUser);
    // As an emptyDir: others may write, but the directory itself is not ours.
    await chmod(state, 0o777);
  }
  const socket = join(run, "docker.sock");
  const [probesPort = 0] = await freePorts(1);
  const settings = {
    socket,
    state,
    toolchains: join(folder, "toolchains"),
    confine: join(bin, "confine"),
    "probes-port": String(probesPort),
  };
  const command = [
    ...(asUser ? ["setpriv", `--reuid=${runnerUser}`, `--regid=${runnerUser}`, "--clear-groups"] : []),
    join(bin, "node"),
    join(bin, "runner.cjs"),
    ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
    ...flags,
  ];
  const runner = newProcess(command, { PATH: `${bin}:${systemPath}`, ...registries() }, /"listening"/);
  // Where the runner was killed, also because it took too long to end: its chaincode.
  starting.defer(() => endRemains(folder));
  starting.defer(() => runner.stop());
  const made = starting.move();
  return {
    endpoint: `unix://${socket}`,
    socket,
    state,
    probes: `http://127.0.0.1:${probesPort}`,
    process: runner,
    stop: () => made.disposeAsync(),
  };
}

/** Node is linked where that is possible: it has 150 MB. */
async function placePrograms(bin: string): Promise<void> {
  const node = join(bin, "node");
  await link(process.execPath, node).catch(() => copyFile(process.execPath, node));
  const layout = newLayout();
  await buildPrograms("confine", layout, silent);
  await copyFile(join(programsOf(goBuilds.confine, layout), "confine"), join(bin, "confine"));
  await bundleRunner(join(bin, "runner.cjs"));
}

/** Those of the product; Node.js is here the one that runs the tests. */
async function placeToolchains(directory: string, bin: string): Promise<void> {
  await cp(join(repository, "runner/toolchains"), directory, { recursive: true });
  const file = join(directory, "node/toolchain.json");
  const node = JSON.parse(await readFile(file, "utf8")) as object;
  await writeFile(file, JSON.stringify({ ...node, path: [bin] }));
}

function registries(): Record<string, string> {
  const entries = Object.entries(process.env).filter(([name]) =>
    /^(npm_config_registry|GOPROXY|GOSUMDB|GOFLAGS)$/.test(name),
  );
  return Object.fromEntries(entries.map(([name, value]) => [name, value ?? ""]));
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: Buffer;
  /** The body as JSON. */
  json(): unknown;
  /** Docker's sentence for a failure. */
  message(): string;
}

/** One call of the Engine API over a socket, as any client makes it. */
export function callApi(
  socket: string,
  method: string,
  path: string,
  body?: Readable | Buffer | object,
): Promise<ApiAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<ApiAnswer>();
  const isStream = body !== undefined && "pipe" in body;
  const bytes = Buffer.isBuffer(body) || isStream;
  const headers = { "Content-Type": bytes ? "application/x-tar" : "application/json" };
  const sent = request({ socketPath: socket, method, path, headers }, (response) => {
    void settle(response).then(resolve, reject);
  });
  sent.on("error", reject);
  if (isStream) body.pipe(sent);
  else sent.end(body === undefined ? undefined : Buffer.isBuffer(body) ? body : JSON.stringify(body));
  return promise;
}

async function settle(response: IncomingMessage): Promise<ApiAnswer> {
  const body = await buffer(response);
  const json = (): unknown => JSON.parse(body.toString());
  const message = () => (json() as { readonly message: string }).message;
  return { status: response.statusCode ?? 0, body, json, message };
}
