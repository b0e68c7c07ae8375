import { afterEach, expect, test, vi } from "vitest";
import { newClusterReader, type ClusterReaderDependencies } from "../../../webhook/cluster-reader.ts";
import { newLog } from "../../../core/process/log.ts";

/** A busy machine takes its time. */
const patience = { timeout: 20_000 };
const getCode = async () => ({ gitVersion: "v1.36.3" });

/** A cluster of three nodes on two pages, whose calls are counted. */
function cluster(change: Partial<ClusterReaderDependencies> = {}) {
  const calls: string[] = [];
  const lines: string[] = [];
  let time = 0;
  const node = (kubeletVersion: string, labels = {}) => ({
    metadata: { labels },
    status: { nodeInfo: { kubeletVersion } },
  });
  const dependencies = {
    api: {
      listNode: async ({ _continue }: { _continue?: string }) => {
        calls.push(`nodes ${_continue ?? ""}`);
        return _continue === undefined
          ? { items: [node("v1.35.2"), node("v1.28.9+k3s1")], metadata: { _continue: "next" } }
          : // A virtual kubelet tells its own version, and runs none of our Pods.
            { items: [node("v1.36.0"), node("v1.0.0-vk", { type: "virtual-kubelet" })], metadata: { _continue: "" } };
      },
      readNamespace: async ({ name }: { name: string }) => {
        calls.push(`namespace ${name}`);
        return { metadata: { name, labels: { colour: "blue" } } };
      },
      getCode: async () => {
        calls.push("version");
        return { gitVersion: "v1.36.3" };
      },
    },
    mtu: 1450,
    now: () => new Date(time),
    log: newLog(
      (line) => lines.push(line),
      () => new Date(0),
    ),
    ...change,
  } as unknown as ClusterReaderDependencies;
  return {
    reader: newClusterReader(dependencies),
    dependencies,
    calls,
    lines,
    pass: (milliseconds: number) => (time += milliseconds),
  };
}

afterEach(() => void vi.useRealTimers());

test("versions are there before the first review, once it has begun", async () => {
  const { reader, calls } = cluster();
  reader.begin();
  await expect.poll(() => calls.toSorted(), patience).toEqual(["nodes ", "nodes next", "version"]);
  expect(await reader.facts("org1")).toMatchObject({ apiServer: { major: 1, minor: 36 } });
  expect(calls.slice(3)).toEqual(["namespace org1"]);
});

test("a cluster that refuses at the beginning is asked again by the first review", async () => {
  let refused = 0;
  const getCode = async () => {
    if (refused++ === 0) throw new Error("not yet");
    return { gitVersion: "v1.36.3" };
  };
  const { api } = cluster().dependencies;
  const { reader } = cluster({ api: { ...api, getCode } });
  reader.begin();
  await expect.poll(() => refused, patience).toBe(1);
  expect((await reader.facts("org1")).apiServer).toMatchObject({ minor: 36 });
});

test("it knows the API server, the oldest kubelet of all pages, the namespace and the MTU", async () => {
  expect(await cluster().reader.facts("org1")).toEqual({
    apiServer: { major: 1, minor: 36, patch: 3 },
    oldestKubelet: { major: 1, minor: 28, patch: 9 },
    namespace: { name: "org1", labels: { colour: "blue" } },
    mtu: 1450,
  });
});

test("versions are kept for minutes, a namespace for the second review of one Pod", async () => {
  const { reader, calls, pass } = cluster();
  await Promise.all([reader.facts("org1"), reader.facts("org1")]);
  expect(calls.toSorted()).toEqual(["namespace org1", "nodes ", "nodes next", "version"]);
  pass(1500);
  await reader.facts("org1");
  expect(calls.slice(4)).toEqual(["namespace org1"]);
  pass(300_000);
  await reader.facts("org1");
  expect(calls.slice(5).toSorted()).toEqual(["namespace org1", "nodes ", "nodes next", "version"]);
});

test("what cannot be read is left out, said, and asked for again", async () => {
  let refused = 0;
  const refuse = async (): Promise<never> => {
    refused++;
    throw new Error("forbidden");
  };
  const { reader, lines } = cluster({ api: { getCode, listNode: refuse, readNamespace: refuse } });
  const known = { apiServer: { major: 1, minor: 36, patch: 3 }, oldestKubelet: undefined, namespace: undefined };
  expect(await reader.facts("org1")).toEqual({ ...known, mtu: 1450 });
  expect(lines.map((line) => (JSON.parse(line) as { what: string }).what)).toEqual([
    "its kubelets' versions",
    "namespace org1",
  ]);
  await reader.facts("org1");
  expect(refused).toBe(4);
});

test("a cluster that does not answer does not hold a review for ever", async () => {
  const never = () => new Promise<never>(() => {});
  vi.useFakeTimers();
  const { reader, lines } = cluster({ api: { getCode, listNode: never, readNamespace: never } });
  let answered = false;
  const facts = reader.facts("org1").finally(() => (answered = true));
  // The API server waits for 5 s.
  await vi.advanceTimersByTimeAsync(1000);
  expect(answered).toBe(false);
  await vi.advanceTimersByTimeAsync(3000);
  expect(answered).toBe(true);
  expect(await facts).toMatchObject({ apiServer: { minor: 36 }, oldestKubelet: undefined, namespace: undefined });
  expect(lines).toHaveLength(2);
});
