import { AppsV1Api, CoreV1Api, NetworkingV1Api, RbacAuthorizationV1Api } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { changedFields } from "../../../../core/kubernetes/apply.ts";
import { exitCode } from "../../../../core/kubernetes/exec.ts";
import { selectionQuery } from "../../../../core/kubernetes/objects.ts";
import { knownResources, resourcePath, type Resource } from "../../../../core/kubernetes/resources.ts";

const resource = (kind: string) => knownResources.get(kind) as Resource;

describe("resourcePath", () => {
  test.each([
    ["Pod", "org1", "peer0-0", "/api/v1/namespaces/org1/pods/peer0-0"],
    ["Pod", undefined, undefined, "/api/v1/pods"],
    ["StatefulSet", "org1", undefined, "/apis/apps/v1/namespaces/org1/statefulsets"],
    ["Namespace", "ignored", "org1", "/api/v1/namespaces/org1"],
    ["NetworkPolicy", "org1", "a b", "/apis/networking.k8s.io/v1/namespaces/org1/networkpolicies/a%20b"],
    ["StorageClass", undefined, "standard", "/apis/storage.k8s.io/v1/storageclasses/standard"],
    ["Ingress", "a", undefined, "/apis/networking.k8s.io/v1/namespaces/a/ingresses"],
  ])("%s", (kind, namespace, name, path) => {
    expect(resourcePath(resource(kind), namespace, name)).toBe(path);
  });

  // client-node's typed API has a method for each kind: one with a namespace is called listNamespaced...
  test.each([
    ["v1", CoreV1Api],
    ["apps/v1", AppsV1Api],
    ["networking.k8s.io/v1", NetworkingV1Api],
    ["rbac.authorization.k8s.io/v1", RbacAuthorizationV1Api],
  ])("which kinds of %s have a namespace, as in client-node", (apiVersion, api) => {
    const ours = [...knownResources.values()].filter((one) => one.apiVersion === apiVersion);
    const methods = Object.getOwnPropertyNames(api.prototype);
    expect(ours.length).toBeGreaterThan(0);
    for (const { kind, namespaced } of ours)
      expect([kind, methods.includes(`listNamespaced${kind}`)]).toEqual([kind, namespaced]);
  });
});

test("a selection is a query", () => {
  expect(selectionQuery({ kind: "Pod", labels: { app: "a", tier: "b" }, fields: "metadata.name=x" })).toEqual({
    labelSelector: "app=a,tier=b",
    fieldSelector: "metadata.name=x",
  });
  expect(selectionQuery({ kind: "Pod", labels: "app in (a,b)" })).toMatchObject({ labelSelector: "app in (a,b)" });
});

test("what the server counts by itself is no change", () => {
  const before = {
    metadata: { name: "a", resourceVersion: "1", generation: 1, managedFields: [] },
    spec: { replicas: 1 },
  };
  const same = {
    metadata: { name: "a", resourceVersion: "2", generation: 2, managedFields: [{}] },
    spec: { replicas: 1 },
  };
  expect(changedFields(before, same)).toEqual([]);
  expect(changedFields(before, { ...same, spec: { replicas: 2, paused: true } }).toSorted()).toEqual([
    "/spec/paused",
    "/spec/replicas",
  ]);
});

test("exit codes of a command", () => {
  expect(exitCode({ status: "Success" })).toBe(0);
  expect(exitCode({ status: "Failure", details: { causes: [{ reason: "ExitCode", message: "137" }] } })).toBe(137);
  expect(exitCode({ status: "Failure", message: "container not found" })).toBeUndefined();
  expect(exitCode({ status: "Failure", details: { causes: [{ reason: "ExitCode", message: "x" }] } })).toBeUndefined();
});
