import { readdir, readFile } from "node:fs/promises";
import { pack } from "tar-stream";
import { buffer } from "node:stream/consumers";
import { callApi, type TestRunner } from "./runner-process.ts";

/** Puts an image there as a peer does (dockercontroller.go, buildImage); what its containers do, their commands say. */
export async function installShell(runner: TestRunner, name: string, files: Readonly<Record<string, string>> = {}) {
  const archive = pack();
  for (const [file, content] of Object.entries({ "index.js": "", ...files })) archive.entry({ name: file }, content);
  archive.finalize();
  const context = pack();
  context.entry(
    { name: "Dockerfile" },
    'FROM hyperledger/fabric-nodeenv:2.5\nADD binpackage.tar /usr/local/src\nLABEL org.hyperledger.fabric.chaincode.type="NODE"',
  );
  context.entry({ name: "binpackage.tar" }, await buffer(archive));
  context.finalize();
  const built = await callApi(runner.socket, "POST", `/build?t=${name}`, await buffer(context));
  if (built.status !== 200) throw new Error(built.message());
}

/** A chaincode container that does what the script says, with the TLS key that a peer would upload. */
export async function createShell(
  runner: TestRunner,
  image: string,
  name: string,
  script: string,
  { port = 7052, memory = 0 }: { readonly port?: number; readonly memory?: number } = {},
): Promise<string> {
  const created = await callApi(runner.socket, "POST", `/containers/create?name=${name}`, {
    Image: image,
    Cmd: ["/bin/sh", "-c", script, "chaincode", "--peer.address", `localhost:${port}`],
    Env: ["CORE_TLS_CLIENT_KEY_PATH=/etc/hyperledger/fabric/client.key"],
    HostConfig: { Memory: memory },
  });
  if (created.status !== 201) throw new Error(created.message());
  const keys = pack();
  keys.entry({ name: "/etc/hyperledger/fabric/client.key" }, `key of ${name}`);
  keys.finalize();
  await callApi(runner.socket, "PUT", `/containers/${name}/archive?path=/`, await buffer(keys));
  return (created.json() as { readonly Id: string }).Id;
}

export async function start(runner: TestRunner, name: string): Promise<void> {
  const started = await callApi(runner.socket, "POST", `/containers/${name}/start`);
  if (started.status !== 204) throw new Error(started.message());
}

export async function ended(runner: TestRunner, name: string): Promise<number> {
  const answer = await callApi(runner.socket, "POST", `/containers/${name}/wait?condition=next-exit`);
  return (answer.json() as { readonly StatusCode: number }).StatusCode;
}

/** What a container wrote, without Docker's frames. */
export async function outputOf(runner: TestRunner, name: string): Promise<string> {
  const { body } = await callApi(runner.socket, "GET", `/containers/${name}/logs?stdout=1&stderr=1`);
  const parts: Buffer[] = [];
  for (let offset = 0; offset + 8 <= body.length;) {
    const length = body.readUInt32BE(offset + 4);
    parts.push(body.subarray(offset + 8, offset + 8 + length));
    offset += 8 + length;
  }
  return Buffer.concat(parts).toString();
}

let attacks = 0;

/** Runs a script as chaincode to its end. Both its streams are one, so that what it wrote is told in its order. */
export async function attack(
  runner: TestRunner,
  image: string,
  script: string,
  options: { readonly port?: number; readonly memory?: number } = {},
): Promise<{ readonly code: number; readonly output: string }> {
  const name = `attack-${++attacks}`;
  await createShell(runner, image, name, `exec 2>&1\n${script}`, options);
  const end = ended(runner, name);
  await start(runner, name);
  const code = await end;
  const output = await outputOf(runner, name);
  await callApi(runner.socket, "DELETE", `/containers/${name}?force=1`);
  return { code, output };
}

let marks = 0;

/** Seconds to sleep that only one test of this machine has: its processes are told by them. */
export function newMark(): string {
  return `6${process.pid}${String(++marks).padStart(3, "0")}`;
}

/** Processes anywhere that sleep for as long. */
export async function alive(mark: string): Promise<number> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line.startsWith(`sleep\0${mark}\0`)).length;
}
