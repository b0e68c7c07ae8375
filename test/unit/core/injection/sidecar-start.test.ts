import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";

/** A busy machine takes its time. */
const patience = { timeout: 20_000 };
const noFlock = spawnSync("flock", ["--version"]).error !== undefined;

/** As injected, with another lock file. */
function commandOf(lock: string): readonly string[] {
  const file = join(import.meta.dirname, "golden/annotation-without-injection/injected.yaml");
  const { spec } = parse(readFileSync(file, "utf8")) as { spec: { initContainers: { command: string[] }[] } };
  const [shell = "", option = "", script = "", its, ...words] = spec.initContainers[0]?.command ?? [];
  expect(its).toBe("/var/lib/docker/kubectl-fabric.lock");
  return [shell, option, script, lock, ...words];
}

describe("the start of a daemon", () => {
  let folder: string;
  let lock: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "sidecar-start-"));
    lock = join(folder, "lock");
    const entrypoint = join(folder, "dockerd-entrypoint.sh");
    writeFileSync(entrypoint, '#!/bin/sh\necho "started: $*"\n');
    chmodSync(entrypoint, 0o755);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const start = (path = `${folder}:${process.env["PATH"]}`) => {
    const [shell, ...args] = commandOf(lock);
    expect(shell).toBe("sh");
    const child = spawn("/bin/sh", [...args, "dockerd", "--mtu=1400"], { env: { PATH: path } });
    let output = "";
    child.stdout.on("data", (data: Buffer) => (output += data.toString()));
    child.stderr.on("data", (data: Buffer) => (output += data.toString()));
    return { child, output: () => output };
  };

  test("gives the image's entrypoint the arguments", async () => {
    const { child, output } = start();
    expect(await once(child, "close")).toEqual([0, null]);
    expect(output()).toBe("started: dockerd --mtu=1400\n");
  });

  test.skipIf(noFlock)(
    "waits for the daemon that still has the graph, says so once, and can be told to end",
    async () => {
      const before = spawn("flock", [lock, "sleep", "60"], { detached: true });
      const end = () => process.kill(-(before.pid ?? 0), "SIGKILL");
      try {
        await expect.poll(() => spawnSync("flock", ["-n", lock, "true"]).status, patience).toBe(1);
        const first = start();
        await expect.poll(() => first.output(), patience).toContain("waits for the daemon before");
        const second = start();
        await expect.poll(() => second.output(), patience).toContain("waits for the daemon before");
        first.child.kill("SIGTERM");
        expect(await once(first.child, "exit")).toEqual([143, null]);
        end();
        expect(await once(second.child, "close")).toEqual([0, null]);
        expect(second.output().match(/waits|started: dockerd/g)).toEqual(["waits", "started: dockerd"]);
      } finally {
        if (before.exitCode === null && before.signalCode === null) end();
      }
    },
  );

  test("does without a lock where the image has no flock", async () => {
    const { child, output } = start(folder);
    expect(await once(child, "close")).toEqual([0, null]);
    expect(output()).toBe("started: dockerd --mtu=1400\n");
  });
});
