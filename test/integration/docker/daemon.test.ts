// The daemon that tests and benches start: whatever way it ends, nothing of it is left on the machine.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { noDocker, startDocker, type DockerDaemon } from "../../contract/docker.ts";
import { listProcesses } from "../../sandbox/processes.ts";
import { mountsBelow } from "../../sandbox/teardown.ts";

/** Docker and its image are built the first time. */
const patience = 900_000;

describe.skipIf(noDocker !== undefined)("a Docker daemon of these tests", () => {
  const usual = process.env["TMPDIR"];
  let folder: string;
  let daemon: DockerDaemon | undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "daemon-"));
    process.env["TMPDIR"] = folder;
  });

  afterEach(async () => {
    await daemon?.stop();
    daemon = undefined;
    if (usual === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = usual;
    rmSync(folder, { recursive: true });
  });

  /** Whatever names the folder, a mount in it, a file. */
  const remains = (): object => ({
    processes: listProcesses().filter(({ argv }) => argv.some((word) => word.includes(folder))),
    mounts: mountsBelow(readFileSync("/proc/mounts", "utf8"), [folder]),
    files: readdirSync(folder),
  });

  /** A zombie has no arguments any more: whoever is to reap it has not yet come to that. */
  const runs = (pid: number): boolean => listProcesses().some((process) => process.pid === pid);

  const nothing = { processes: [], mounts: [], files: [] };

  /** Gives the process in the container. */
  async function startContainer(host: DockerDaemon): Promise<number> {
    const source = "setInterval(() => {}, 1e6)";
    const id = await host.docker("run", "-d", "--network=host", "hyperledger/fabric-nodeenv:2.5", "node", "-e", source);
    return Number(await host.docker("inspect", "--format", "{{.State.Pid}}", id));
  }

  test(
    "that is stopped takes its containers along, and may be stopped again",
    async () => {
      daemon = await startDocker();
      expect(existsSync(dirname(daemon.socket))).toBe(true);
      const pid = await startContainer(daemon);
      expect(runs(pid)).toBe(true);
      await daemon.stop();
      expect(runs(pid)).toBe(false);
      expect(remains()).toEqual(nothing);
      await daemon.stop();
    },
    patience,
  );

  test(
    "that was killed leaves no shim, no container and no mount when it is stopped",
    async () => {
      daemon = await startDocker();
      const pid = await startContainer(daemon);
      await daemon.process.kill();
      expect(runs(pid)).toBe(true);
      await daemon.stop();
      expect(runs(pid)).toBe(false);
      expect(remains()).toEqual(nothing);
    },
    patience,
  );

  test(
    "that cannot start leaves nothing",
    async () => {
      await expect(startDocker({ further: ["--no-such-flag"] })).rejects.toThrow("unknown flag: --no-such-flag");
      expect(remains()).toEqual(nothing);
    },
    patience,
  );
});
