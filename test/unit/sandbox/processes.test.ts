import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import { argvOf, endProcesses, isInPod, listProcesses, memoryOf, runningAs } from "../../sandbox/processes.ts";

test("arguments are split as the kernel joins them; a zombie has none", () => {
  expect(argvOf("/bin/etcd\0--data-dir\0\0")).toEqual(["/bin/etcd", "--data-dir", ""]);
  expect(argvOf("")).toEqual([]);
});

test("a process is found by the first of its arguments only", () => {
  const processes = [
    { pid: 1, argv: ["/cache/bin/etcd", "--x"] },
    { pid: 2, argv: ["tail", "/cache/bin/etcd"] },
    { pid: 3, argv: ["/cache/bin/etcd2"] },
  ];
  expect(runningAs("/cache/bin/etcd", processes)).toEqual([1]);
});

test.each([
  ["0::/k8s.io/4f1c/init\n", true],
  ["4:memory:/k8s.io/4f1c\n0::/\n", true],
  ["0::/user.slice/session-1.scope\n", false],
  ["0::/kubepods/k8s.io/4f1c\n", false],
])("control group %j is a Pod's of the sandbox: %s", (cgroup, expected) => {
  expect(isInPod(cgroup)).toBe(expected);
});

test.runIf(process.platform === "linux")("ends a process that ignores SIGTERM, and knows that it is gone", async () => {
  const child = spawn(process.execPath, [
    "-e",
    "process.on('SIGTERM', () => {}); console.log(1); setInterval(() => {}, 1e6)",
  ]);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const { pid = 0 } = child;
  expect(listProcesses().map((process) => process.pid)).toContain(pid);
  expect(memoryOf(pid)).toBeGreaterThan(2 ** 20);
  await endProcesses([pid], "SIGTERM", 200);
  expect(listProcesses().map((process) => process.pid)).not.toContain(pid);
  await endProcesses([pid], "SIGTERM", 200);
});
