import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isReady } from "../../sandbox/api-server.ts";
import { CommandFailure, lastLines, run, succeeds } from "../../sandbox/command.ts";
import { newProgress } from "../../sandbox/progress.ts";
import { stateOf, statusText, type SandboxStatus } from "../../sandbox/status.ts";

test("progress lines carry the seconds since the start", () => {
  let now = 1000;
  const lines: string[] = [];
  const progress = newProgress(
    (line) => lines.push(line),
    () => now,
  );
  now += 1234;
  progress.say("node Ready");
  expect(lines).toEqual(["[   1.2 s] node Ready\n"]);
});

describe("a command", () => {
  test("gives its output, and its input is what we say", async () => {
    expect(await run("cat", [], { input: "text" })).toBe("text");
  });

  test("that fails tells its last lines", async () => {
    const failure = run("sh", ["-c", "seq 30 >&2; exit 3"]);
    await expect(failure).rejects.toThrow(CommandFailure);
    await expect(failure).rejects.toThrow(/^sh: expected exit status 0, found 3\n16\n17\n(.*\n)*30$/);
    expect(await succeeds("false", [])).toBe(false);
  });

  test("that does not exist fails, too", async () => {
    await expect(run("no-such-program", [])).rejects.toThrow(/no-such-program: .*ENOENT/);
  });

  test("that is interrupted is no failure of its own", async () => {
    const cancel = new AbortController();
    const running = run("sleep", ["60"], { signal: cancel.signal });
    cancel.abort();
    await expect(running).rejects.toMatchObject({ code: "interrupted" });
  });

  test("writes all that it prints to a log", async () => {
    const directory = await mkdtemp(join(tmpdir(), "command-"));
    await run("sh", ["-c", "echo out; echo err >&2"], { log: join(directory, "log") });
    expect(await readFile(join(directory, "log"), "utf8")).toBe("out\nerr\n");
    await rm(directory, { recursive: true });
  });
});

test("the last lines are the last lines", () => {
  expect(lastLines("1\n2\n3\n", 2)).toBe("2\n3");
  expect(lastLines("1", 5)).toBe("1");
});

describe("status", () => {
  const status: SandboxStatus = {
    state: "partly up",
    kubeconfig: "/cache/state/admin.kubeconfig",
    binDirectory: "/cache/bin",
    cacheDirectory: "/cache",
    components: [{ name: "etcd", pid: 42, memory: 44 * 2 ** 20 }, { name: "kubelet" }],
    memory: 44 * 2 ** 20,
    images: [
      {
        name: "node",
        tags: ["docker.io/local/node:1"],
        standsInFor: "node:slim",
        size: 156 * 2 ** 20,
        archive: "/cache/images/node.tar",
        loaded: false,
      },
    ],
    fabricVersions: [],
  };

  test("is for people to read", () => {
    expect(statusText(status)).toBe(`sandbox partly up, 44 MiB (PSS)
  etcd                     pid 42       44 MiB
  kubelet                  down
images
   156 MiB  docker.io/local/node:1   not loaded
            stands in for node:slim
Fabric releases: none (set FABRIC_HOME)
`);
  });

  test("tells how to use a cluster that is up", () => {
    expect(statusText({ ...status, state: "up" })).toContain("export KUBECONFIG=/cache/state/admin.kubeconfig");
  });

  test("is partly up when something died", () => {
    expect(stateOf([{ name: "etcd" }, { name: "kubelet" }])).toBe("down");
    expect(stateOf([{ name: "etcd", pid: 1 }, { name: "kubelet" }])).toBe("partly up");
    expect(stateOf([{ name: "etcd", pid: 1 }])).toBe("up");
  });
});

test("a node is ready when it says so", () => {
  const node = (status: string) =>
    JSON.stringify({
      status: {
        conditions: [
          { type: "MemoryPressure", status: "False" },
          { type: "Ready", status },
        ],
      },
    });
  expect(isReady(node("True"))).toBe(true);
  expect(isReady(node("Unknown"))).toBe(false);
  expect(isReady("{}")).toBe(false);
});
