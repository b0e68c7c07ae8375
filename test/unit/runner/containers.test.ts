import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newLog } from "../../../core/process/log.ts";
import { openContainers, type Containers } from "../../../runner/containers/containers.ts";
import { openImageStore } from "../../../runner/images/image-store.ts";
import { newMetrics } from "../../../runner/metrics.ts";
import { readToolchains } from "../../../runner/toolchain.ts";

const now = () => new Date(0);
const archive = { bytes: 1_000_000, entries: 1000 };

/** Instead of `confine`: tells its process ID, and ends at the first order, or the end of them, from file descriptor 3. */
const program = (started: string) => `#!/bin/sh\necho $$ >> ${started}\nhead -c 1 <&3\n`;

describe("containers", () => {
  let directory: string;
  let containers: Containers;

  const create = (name: string) =>
    containers.create({
      name,
      image: "fabric-nodeenv",
      command: ["true"],
      environment: [],
      labels: {},
      networkMode: "default",
      memory: 0,
    });
  const started = async () =>
    (await readFile(join(directory, "started"), "utf8").catch(() => "")).split("\n").slice(0, -1);
  const outcomes = async (...all: readonly Promise<unknown>[]) =>
    (await Promise.allSettled(all)).map((one) => (one.status === "fulfilled" ? "done" : String(one.reason)));

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "containers-"));
    const [confine, toolchains, state] = ["confine", "toolchains", "state"].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    await writeFile(confine, program(join(directory, "started")));
    await chmod(confine, 0o755);
    await mkdir(join(toolchains, "node"), { recursive: true });
    await writeFile(join(toolchains, "node/toolchain.json"), '{"images":["fabric-nodeenv"]}');
    await mkdir(state);
    containers = await openContainers({
      directory: state,
      confine,
      isolation: "best-effort",
      store: await openImageStore(join(directory, "store"), { limits: archive, quota: () => 0 }),
      toolchains: await readToolchains(toolchains),
      limits: {
        running: 2,
        memory: 1_000_000,
        disk: 1_000_000,
        threads: 10,
        process: { dataBytes: 0, fileBytes: 0, tasks: 0, openFiles: 0, cpuSeconds: 0 },
        archive,
        output: 1000,
        images: 0,
      },
      buildEnvironment: {},
      buildPorts: [],
      path: "/usr/bin:/bin",
      now,
      log: newLog(() => undefined, now),
      metrics: newMetrics("test"),
    });
  });

  afterEach(async () => {
    await containers.close();
    await rm(directory, { recursive: true });
  });

  test("are started once, however many ask at the same time", async () => {
    const one = await create("one");
    expect(await outcomes(containers.start(one), containers.start(one))).toEqual([
      "done",
      expect.stringContaining("already started"),
    ]);
    await containers.stop(one, 0);
    expect([one.state.status, (await started()).length]).toEqual(["exited", 1]);
  });

  test("that are started at the same time are no more than may run", async () => {
    const all = await Promise.all(["one", "two", "three"].map(create));
    expect((await outcomes(...all.map((one) => containers.start(one)))).toSorted()).toEqual([
      expect.stringContaining("expected at most 2 containers to run at once, found 2"),
      "done",
      "done",
    ]);
  });

  test("that are removed while they start leave no process", async () => {
    const one = await create("one");
    expect(await outcomes(containers.start(one), containers.remove(one))).toEqual([
      expect.stringContaining("No such container: one"),
      "done",
    ]);
    const [pid] = await started();
    expect(containers.list()).toEqual([]);
    expect(() => process.kill(Number(pid), 0)).toThrow(/ESRCH/);
  });

  test("that cannot be started can be tried again, and do not count", async () => {
    const all = await Promise.all(["one", "two", "three"].map(create));
    const confine = join(directory, "confine");
    await chmod(confine, 0o644);
    for (const one of all) await expect(containers.start(one)).rejects.toThrow(/cannot start .*EACCES/);
    await chmod(confine, 0o755);
    await containers.start(all[0]!);
    expect(all[0]?.state.status).toBe("running");
  });
});
