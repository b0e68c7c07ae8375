import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { endRemains, processesOf } from "../../contract/remains.ts";
import { listProcesses } from "../../sandbox/processes.ts";

let folder: string;
const started: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "remains-"));
});

afterEach(() => {
  for (const pid of started.splice(0)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // it has ended, as it should
    }
  }
  rmSync(folder, { recursive: true });
});

/** Gives the numbers that a shell prints, its own and others. */
async function shell(
  script: string,
  options: { readonly cwd?: string },
  ...args: readonly string[]
): Promise<number[]> {
  const child = spawn("sh", ["-c", script, "sh", ...args], {
    ...options,
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const pids = line.toString().trim().split(" ").map(Number);
  started.push(...pids);
  return pids;
}

const running = (pids: readonly number[]): readonly number[] =>
  listProcesses().flatMap(({ pid }) => (pids.includes(pid) ? [pid] : []));

test.runIf(process.platform === "linux")(
  "ends who names the folder, who works in it and what they started, nobody else",
  async () => {
    // As a shim names it and what is in its container does not; sessions of their own, so that no signal to a group reaches all.
    const naming = await shell("setsid sleep 1000 & echo $$ $!; wait", {}, `--socket=${folder}/s`);
    // As chaincode works in it whose runner has gone.
    const working = await shell("echo $$; exec sleep 1000", { cwd: mkdtempSync(join(folder, "container-")) });
    const others = await shell("echo $$; exec sleep 1000", { cwd: tmpdir() }, "--socket=/elsewhere");
    expect(new Set(processesOf(folder))).toEqual(new Set([...naming, ...working]));
    await endRemains(folder);
    expect(running([...naming, ...working])).toEqual([]);
    expect(running(others)).toEqual(others);
  },
);
