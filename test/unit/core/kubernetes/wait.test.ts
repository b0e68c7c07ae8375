import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FabricError } from "../../../../core/error.ts";
import { rolledOut } from "../../../../core/kubernetes/conditions.ts";
import { waitFor } from "../../../../core/kubernetes/wait.ts";
import { scriptedCluster, type ScriptedCluster } from "../scripted-cluster/scripted-cluster.ts";
import { typedAs } from "../../../typed-as.ts";

let cluster: ScriptedCluster;
beforeEach(async () => {
  cluster = await scriptedCluster({ controllers: [] });
  cluster.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "org1" } });
  cluster.put({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "cc-asset", namespace: "org1" },
    spec: { replicas: 1, selector: { matchLabels: { app: "cc-asset" } }, template: { metadata: { labels: {} } } },
  });
});
afterEach(() => cluster.close());

const ref = { kind: "Deployment", namespace: "org1", name: "cc-asset" } as const;

/** Its Pod, with a container in some state. */
function pod(container: object, { name = "cc-asset-1", template = "1" } = {}): void {
  const status = {
    image: "example.com/asset:1",
    imageID: "",
    ready: false,
    restartCount: 0,
    name: "chaincode",
    ...container,
  };
  cluster.put({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "org1", labels: { app: "cc-asset", "pod-template-hash": template } },
    status: { phase: "Pending", containerStatuses: [status] },
  });
}

/** A wait that is cut off as soon as it says something about the Pod. */
async function cutOff(reason: FabricError, about: RegExp): Promise<unknown> {
  const controller = new AbortController();
  const progress = (text: string) => {
    if (about.test(text)) controller.abort(reason);
  };
  const waiting = waitFor(cluster.connect(), ref, rolledOut, { signal: controller.signal, progress });
  return waiting.then(
    () => undefined,
    (error: unknown) => error,
  );
}

const deadline = new FabricError("timeout", "gave up after 90 s");

describe("when the command's time is over before a workload is ready", () => {
  test("an image that cannot be pulled is named", async () => {
    pod({ state: { waiting: { reason: "ImagePullBackOff", message: "Back-off pulling image" } } });
    expect(await cutOff(deadline, /^Pod /)).toMatchObject({
      code: "timeout",
      message:
        "Deployment org1/cc-asset was not ready: Pod cc-asset-1: container chaincode has no image example.com/asset:1 (ImagePullBackOff): Back-off pulling image",
      hint: expect.stringContaining("may the cluster pull it?") as string,
    });
    expect(cluster.requests).not.toContain("get Pod org1/cc-asset-1/log");
  });

  test("a container that ends again and again says its last words", async () => {
    const lines = Array.from({ length: 30 }, (_, index) => `\u001b[31mline ${index}\u001b[0m\n`);
    cluster.write("org1", "cc-asset-1", "chaincode", lines.join(""), true);
    cluster.write("org1", "cc-asset-1", "chaincode", "of the life that has just begun\n");
    const lastState = { terminated: { exitCode: 1, reason: "Error" } };
    pod({ restartCount: 3, lastState, state: { waiting: { reason: "CrashLoopBackOff" } } });
    expect(await cutOff(deadline, /^Pod /)).toMatchObject({
      code: "timeout",
      message: [
        "Deployment org1/cc-asset was not ready: Pod cc-asset-1: container chaincode ended 3 times, last with exit code 1",
        ...Array.from({ length: 10 }, (_, index) => `  | line ${index + 20}`),
      ].join("\n"),
      hint: typedAs("kubectl logs -n org1 cc-asset-1 -c chaincode --previous"),
    });
  });

  test("one that has said nothing is told without words", async () => {
    const lastState = { terminated: { exitCode: 1 } };
    pod({ restartCount: 1, lastState, state: { waiting: { reason: "CrashLoopBackOff" } } });
    expect(await cutOff(deadline, /^Pod /)).toMatchObject({ message: expect.stringMatching(/exit code 1$/) as string });
  });

  test("nothing is known of a Pod that is not there", async () => {
    expect(await cutOff(deadline, /./)).toMatchObject({
      code: "timeout",
      message: expect.stringMatching(/^Deployment org1\/cc-asset was not ready: /) as string,
    });
  });
});

test("who interrupts gets no explanation", async () => {
  pod({ state: { waiting: { reason: "ImagePullBackOff" } } });
  const interrupted = new FabricError("interrupted", "stopped by SIGINT");
  expect(await cutOff(interrupted, /^Pod /)).toBe(interrupted);
});

test("the wait's own time tells how long it was", async () => {
  pod({ state: { waiting: { reason: "ImagePullBackOff" } } });
  const waiting = waitFor(cluster.connect(), ref, rolledOut, { timeout: 1000 });
  await expect(waiting).rejects.toMatchObject({
    code: "timeout",
    message: expect.stringMatching(
      /was not ready after 1 s: Pod cc-asset-1: container chaincode has no image/,
    ) as string,
  });
});

test("without a time of its own a wait takes as long as the command has", async () => {
  const limit = vi.spyOn(AbortSignal, "timeout");
  try {
    pod({ state: { waiting: { reason: "ImagePullBackOff" } } });
    const interrupted = new FabricError("interrupted", "stopped by SIGINT");
    expect(await cutOff(interrupted, /^Pod /)).toBe(interrupted);
    expect(limit).not.toHaveBeenCalled();
  } finally {
    limit.mockRestore();
  }
});

describe("a wait for what needs nothing that is still to come", () => {
  const crashing = (restartCount: number) => ({
    restartCount,
    lastState: { terminated: { exitCode: 0, reason: "Completed" } },
    state: { waiting: { reason: "CrashLoopBackOff" } },
  });
  const backOff = { state: { waiting: { reason: "ImagePullBackOff", message: "Back-off" } } };
  const notPulled = { state: { waiting: { reason: "ErrImagePull", message: "not found" } } };

  /** Ends with a failure of the wait, or as soon as it has told of that. */
  const impatiently = async (until?: RegExp, told?: (text: string) => void) => {
    const controller = new AbortController();
    const stop = new FabricError("interrupted", "stopped");
    const progress = (text: string) => {
      told?.(text);
      if (until?.test(text)) controller.abort(stop);
    };
    const options = { signal: controller.signal, progress, impatient: true, patience: 0 };
    return waitFor(cluster.connect(), ref, rolledOut, options).catch((error: unknown) => error);
  };

  test("ends when an image is not pulled, in the kubelet's words", async () => {
    pod(notPulled);
    expect(await impatiently()).toMatchObject({
      code: "not-ready",
      message: "Pod cc-asset-1: container chaincode has no image example.com/asset:1 (ErrImagePull): not found",
    });
  });

  test("ends when a container ends for the third time, with its last words", async () => {
    cluster.write("org1", "cc-asset-1", "chaincode", "no --peer.address\n", true);
    pod(crashing(2));
    const failure = impatiently(undefined, (text) => {
      if (text.includes("ended 2 times")) pod(crashing(3));
    });
    expect(await failure).toMatchObject({
      code: "not-ready",
      message: "Pod cc-asset-1: container chaincode ended 3 times, last with exit code 0\n  | no --peer.address",
      hint: typedAs("kubectl logs -n org1 cc-asset-1 -c chaincode --previous"),
    });
  });

  test("goes on while the kubelet has yet to try again, as somebody may have mended it", async () => {
    pod(backOff);
    const seen: string[] = [];
    const end = await impatiently(/ended 7 times/, (text) => {
      seen.push(text);
      if (text.includes("ImagePullBackOff")) pod(crashing(7), { name: "cc-asset-2" });
    });
    expect(end).toMatchObject({ code: "interrupted" });
    expect(seen.some((text) => text.includes("ImagePullBackOff"))).toBe(true);
  });

  test("goes on beside a broken Pod of the template before", async () => {
    pod(notPulled);
    pod({ state: { running: {} } }, { name: "cc-asset-2", template: "2" });
    expect(await impatiently(/cc-asset-2/)).toMatchObject({ code: "interrupted" });
  });

  test("ends for the same reasons when events may not be read", async () => {
    cluster.interfere(({ verb, kind }) => (verb === "list" && kind === "Event" ? "forbidden" : undefined));
    pod(notPulled);
    expect(await impatiently()).toMatchObject({
      code: "not-ready",
      message: expect.stringContaining("ErrImagePull") as string,
    });
  });
});

test("the reason after a timeout needs no events", async () => {
  cluster.interfere(({ verb, kind }) => (verb === "list" && kind === "Event" ? "forbidden" : undefined));
  pod({ state: { waiting: { reason: "ImagePullBackOff", message: "Back-off pulling image" } } });
  expect(await cutOff(deadline, /./)).toMatchObject({
    message: expect.stringContaining("container chaincode has no image") as string,
  });
});

test("a Pod that is refused is told of the Deployment itself, not of one whose name begins with the same words", async () => {
  const refused = (name: string, message: string) =>
    cluster.put({
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: `${name}.1`, namespace: "org1" },
      involvedObject: { kind: "ReplicaSet", name, namespace: "org1" },
      type: "Warning",
      reason: "FailedCreate",
      message,
      lastTimestamp: new Date().toISOString(),
    });
  refused("cc-asset-audit-5d4f8c7b9d", "quota of the other");
  const seen: string[] = [];
  const controller = new AbortController();
  const waiting = waitFor(cluster.connect(), ref, rolledOut, {
    signal: controller.signal,
    progress: (text) => {
      seen.push(text);
      if (seen.length === 1) refused("cc-asset-5d4f8c7b9d", "quota exceeded");
      if (text.includes("quota exceeded")) controller.abort();
    },
  });
  await expect(waiting).rejects.toMatchObject({ code: "interrupted" });
  expect(seen.filter((text) => text.includes("quota"))).toEqual([expect.stringContaining("quota exceeded")]);
});
