// Before real processes of this machine, of which the script sees one: in a peer's container there are no others.
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { reportScript } from "../../../../core/orphans/places/peer-start.ts";

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

/** A shell that says when it is ready, and is called what its arguments say. */
async function shell(script: string, ...args: readonly string[]): Promise<ChildProcess> {
  const child = spawn("sh", ["-c", `${script}\necho ready; while :; do read -r line || exit 1; done`, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  started.push(child);
  // One that took its signal while it read is gone before the next line.
  child.stdin.on("error", () => {});
  await once(child.stdout, "data");
  return child;
}

function runScript({ pid }: ChildProcess): Promise<number> {
  const script = reportScript.replace("/proc/[0-9]*", `/proc/${pid}`);
  return new Promise((resolve) => {
    execFile("sh", ["-c", script], (error) => resolve(error === null ? 0 : Number(error.code)));
  });
}

const trap = 'trap "exit 7" USR1';

describe.skipIf(process.platform !== "linux")("the script that asks a peer for a report", () => {
  test("signals a peer", async () => {
    const peer = await shell(trap, "peer", "node", "start");
    const ended = once(peer, "exit");
    expect(await runScript(peer)).toBe(0);
    peer.stdin?.write("\n");
    expect(await ended).toEqual([7, null]);
  });

  test.each([
    ["a process that would end of it", "", ["peer", "node", "start"]],
    ["another program", trap, ["peer", "channel", "list"]],
  ])("leaves %s alone, and says that there is no peer", async (_, script, args) => {
    const other = await shell(script, ...args);
    expect(await runScript(other)).toBe(1);
    const ended = once(other, "exit");
    other.stdin?.end();
    expect(await ended).toEqual([1, null]);
  });
});
