import { describe, expect, test } from "vitest";
import type { V1Deployment, V1Pod, V1StatefulSet } from "../../../../core/kubernetes/client-node.ts";
import { claimBound, gone, jobComplete, podReady, present, rolledOut } from "../../../../core/kubernetes/conditions.ts";

const so = { so: true };
const notYet = (progress: string) => ({ so: false, progress });

describe("rolledOut", () => {
  const set = (status: Partial<V1StatefulSet["status"]>, generation = 1, replicas = 3): V1StatefulSet => ({
    metadata: { generation },
    spec: { replicas, selector: {}, template: {} },
    status: { observedGeneration: 1, replicas: 3, ...status },
  });

  test.each<[string, V1StatefulSet | V1Deployment | undefined, object]>([
    ["absent", undefined, notYet("not there yet")],
    ["not seen by its controller", set({}, 2), notYet("waiting for its controller")],
    ["being updated", set({ updatedReplicas: 1 }), notYet("1 of 3 Pods updated")],
    ["starting", set({ updatedReplicas: 3, readyReplicas: 2 }), notYet("2 of 3 Pods ready")],
    ["done", set({ updatedReplicas: 3, readyReplicas: 3 }), so],
    ["an old Pod is left", set({ replicas: 4, updatedReplicas: 3, readyReplicas: 3 }), notYet("1 old Pod has to go")],
    [
      "its Pods are refused",
      set({ conditions: [{ type: "ReplicaFailure", status: "True", message: "denied" }] }),
      notYet("denied"),
    ],
    ["none wanted", set({ replicas: 0 }, 1, 0), so],
  ])("%s", (_, workload, verdict) => {
    expect(rolledOut(workload)).toEqual(verdict);
  });

  test("a DaemonSet counts nodes", () => {
    const status = {
      currentNumberScheduled: 2,
      desiredNumberScheduled: 2,
      numberMisscheduled: 0,
      numberReady: 1,
      observedGeneration: 1,
      updatedNumberScheduled: 2,
      numberAvailable: 1,
    };
    expect(rolledOut({ metadata: { generation: 1 }, status })).toEqual(notYet("1 of 2 Pods ready"));
  });
});

describe("podReady", () => {
  const ready = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
  test.each<[string, V1Pod | undefined, object]>([
    ["absent", undefined, notYet("no Pod yet")],
    ["ready", { status: ready }, so],
    ["ready but going", { status: ready, metadata: { deletionTimestamp: new Date(0) } }, notYet("Pod Running")],
    ["ended", { status: { phase: "Succeeded" } }, { so: "never", because: "the Pod has ended (Succeeded)" }],
    ["new", { status: {} }, notYet("Pod Pending")],
  ])("%s", (_, pod, verdict) => {
    expect(podReady(pod)).toEqual(verdict);
  });
});

test("claims, Jobs, presence and absence", () => {
  expect(claimBound({ status: { phase: "Bound" } })).toEqual(so);
  expect(claimBound({ status: { phase: "Pending" } })).toEqual(notYet("PersistentVolumeClaim Pending"));
  expect(claimBound({ spec: { volumeName: "v1" }, status: { phase: "Lost" } })).toEqual({
    so: "never",
    because: "its volume v1 is lost",
  });
  expect(jobComplete({ status: { conditions: [{ type: "Complete", status: "True" }] } })).toEqual(so);
  expect(jobComplete({ status: { conditions: [{ type: "Failed", status: "True", message: "twice" }] } })).toEqual({
    so: "never",
    because: "twice",
  });
  expect(jobComplete({ status: { active: 1 } })).toEqual(notYet("1 Pods active"));
  expect(gone(undefined)).toEqual(so);
  expect(gone({})).toEqual(notYet("still there"));
  expect(present({})).toEqual(so);
  expect(present(undefined)).toEqual(notYet("not there yet"));
});
