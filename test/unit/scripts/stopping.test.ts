import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parentOf } from "../../contract/remains.ts";
import { listProcesses } from "../../sandbox/processes.ts";

const root = join(import.meta.dirname, "../../..");
const patience = { timeout: 60_000, interval: 20 };

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

/** All that scripts write is in here. */
let folder: string;
let running: Running | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stopping-"));
});

afterEach(async () => {
  running?.child.kill("SIGKILL");
  await running?.ended;
  running = undefined;
  rmSync(folder, { recursive: true, force: true });
});

function run(script: string, ...args: readonly string[]): Running {
  const child = spawn(process.execPath, [script, ...args], {
    cwd: root,
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
  child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
  running = { child, ended: once(child, "close"), stdout: () => stdout, stderr: () => stderr };
  return running;
}

/** A script that has started what it starts. */
async function started(mode: string): Promise<Running & { readonly pid: number; readonly folder: string }> {
  const script = run("test/unit/scripts/long-script.ts", mode);
  await expect.poll(script.stdout, patience).toContain("\n");
  return { ...script, ...(JSON.parse(script.stdout().split("\n")[0] ?? "") as { pid: number; folder: string }) };
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const leftAlone = { status: 0, signal: null };

async function endingOf({ child, ended }: Running): Promise<typeof leftAlone | object> {
  await ended;
  return { status: child.exitCode, signal: child.signalCode };
}

describe("what a script has started has ended when the script has", () => {
  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("stopped by %s", async (signal) => {
    const script = await started("waits");
    expect(isAlive(script.pid)).toBe(true);
    expect(existsSync(script.folder)).toBe(true);
    script.child.kill(signal);
    expect(await endingOf(script)).toEqual({ status: 130, signal: null });
    expect(script.stderr()).toContain(`error: stopped by ${signal}\n`);
    expect(isAlive(script.pid)).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([
    ["done", 0, ""],
    ["fails", 1, "error: expected a port, found none\nhint: free one\n"],
    ["late", 1, "error: nobody waits for this\n"],
    ["stray", 1, "error: nobody waits for this\n"],
  ])("%s", async (mode, status, stderr) => {
    const script = await started(mode);
    expect(await endingOf(script)).toEqual({ status, signal: null });
    expect(script.stderr()).toBe(stderr);
    expect(isAlive(script.pid)).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("stopped while something starts", async () => {
    const script = await started("starting");
    await expect.poll(script.stdout, patience).toContain("starting\n");
    script.child.kill("SIGINT");
    expect(await endingOf(script)).toEqual({ status: 130, signal: null });
    expect(script.stdout()).toMatch(/\nstarting\nstarted\nended\n$/);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("but for what cannot be ended, which is told", async () => {
    const script = await started("cannot-end");
    script.child.kill("SIGINT");
    expect(await endingOf(script)).toEqual({ status: 1, signal: null });
    expect(script.stderr()).toMatch(/error: stopped by SIGINT\nerror: not everything was ended: the daemon hangs\n$/);
    expect(isAlive(script.pid)).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("a second signal", () => {
  test("ends a script at once, which says what may be left", async () => {
    const script = await started("stubborn");
    script.child.kill("SIGINT");
    await expect.poll(script.stderr, patience).toContain("stopping: ");
    // Again and again, as an impatient person: the first of them come too early to be a second wish.
    const impatient = setInterval(() => script.child.kill("SIGINT"), 100);
    expect(await endingOf(script)).toEqual({ status: 130, signal: null });
    clearInterval(impatient);
    expect(script.stderr()).toContain("ended at once. There may be left a folder long-script-*.\n");
    process.kill(script.pid, "SIGKILL");
  });

  test("that npm passes on with the first is none", async () => {
    const script = await started("waits");
    script.child.kill("SIGINT");
    script.child.kill("SIGTERM");
    expect(await endingOf(script)).toEqual({ status: 130, signal: null });
    expect(script.stderr()).not.toContain("ended at once");
    expect(isAlive(script.pid)).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });
});

test.runIf(process.platform === "linux")("a bench that is stopped leaves no process and no file", async () => {
  const bench = run("test/bench/main.ts", "orphans");
  const children = (): readonly number[] =>
    listProcesses()
      .filter(({ pid, argv }) => parentOf(pid) === bench.child.pid && argv.some((word) => word.endsWith("look.ts")))
      .map(({ pid }) => pid);
  await expect.poll(children, patience).toHaveLength(1);
  const [pid = 0] = children();
  expect(readdirSync(folder)).toHaveLength(1);
  bench.child.kill("SIGTERM");
  expect(await endingOf(bench)).toEqual({ status: 130, signal: null });
  expect(isAlive(pid)).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
});
