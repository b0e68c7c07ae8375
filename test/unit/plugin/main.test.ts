import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scriptedCluster } from "../core/scripted-cluster/scripted-cluster.ts";

const main = join(import.meta.dirname, "../../../plugin/main.ts");
/** An API server that never answers: no command ends by itself. */
const silent = createServer(() => {});
let folder: string;
let kubeconfig: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  folder = await mkdtemp(join(tmpdir(), "main-"));
  kubeconfig = await kubeconfigOf(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
});
afterAll(async () => {
  silent.close();
  await rm(folder, { recursive: true, force: true });
});

async function kubeconfigOf(server: string): Promise<string> {
  const file = join(folder, `config-${new URL(server).port}`);
  const config = {
    clusters: [{ name: "c", cluster: { server } }],
    contexts: [{ name: "c", context: { cluster: "c", user: "ann" } }],
    users: [{ name: "ann", user: {} }],
    "current-context": "c",
  };
  await writeFile(file, JSON.stringify(config));
  return file;
}

interface Ended {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program in a process of its own, and a defect in it as soon as somebody would be told of such a one. */
function runWith(event: "unhandledRejection" | "uncaughtException", defect: string, env = {}): Promise<Ended> {
  const preload = `process.on("newListener", (name) => name === "${event}" && setImmediate(() => { ${defect} }));`;
  const load = ["--import", `data:text/javascript,${encodeURIComponent(preload)}`];
  const argv = [...load, main, "status", "--kubeconfig", kubeconfig];
  return new Promise((resolve) => {
    const options = { env: { ...process.env, KUBECTL_FABRIC_DEBUG: "", ...env } };
    execFile(process.execPath, argv, options, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr });
    });
  });
}

const rejection = 'Promise.reject(new TypeError("x is not a function\\nand more of it"))';
const hint = "hint: this is a defect of kubectl-fabric: KUBECTL_FABRIC_DEBUG=1 shows where, please report it";

test.each([
  ["unhandledRejection", rejection, "x is not a function"],
  ["uncaughtException", 'throw new RangeError("out of range")', "out of range"],
] as const)("an %s (%s) is one line and a hint", async (event, defect, message) => {
  expect(await runWith(event, defect)).toEqual({ code: 1, stdout: "", stderr: `error: ${message}\n${hint}\n` });
});

test("with KUBECTL_FABRIC_DEBUG=1 a defect says where it is", async () => {
  const { code, stderr } = await runWith("unhandledRejection", rejection, { KUBECTL_FABRIC_DEBUG: "1" });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: x is not a function\n[^]*TypeError: x is not a function\nand more of it\n +at /);
});

describe("when nobody reads any more", () => {
  /** `webhook install` in an empty cluster, or another command, with one of its pipes closed. */
  async function unread(closed: "stdout" | "stderr", ...argv: readonly string[]) {
    const cluster = await scriptedCluster();
    try {
      const child = spawn(process.execPath, [main, ...argv, "--kubeconfig", await kubeconfigOf(cluster.url)]);
      child[closed].destroy();
      let said = "";
      child[closed === "stdout" ? "stderr" : "stdout"].on("data", (chunk: Buffer) => (said += chunk.toString()));
      const [code] = (await once(child, "close")) as [number | null];
      return { code, said, objects: cluster.objects().length };
    } finally {
      await cluster.close();
    }
  }

  test("the progress, the work is done to its end", async () => {
    const { code, said, objects } = await unread("stderr", "webhook", "install", "--verbose");
    expect({ code, said }).toEqual({ code: 0, said: expect.stringMatching(/^done: \d steps/) });
    expect(objects).toBeGreaterThan(5);
  });

  test("the progress, a failure is still one", async () => {
    expect((await unread("stderr", "status")).code).toBe(1);
  });

  test("the result, the work is done, and nothing is an error", async () => {
    const { code, said, objects } = await unread("stdout", "webhook", "install");
    expect(code).toBe(0);
    expect(said).not.toMatch(/error|EPIPE/);
    expect(objects).toBeGreaterThan(5);
  });
});
