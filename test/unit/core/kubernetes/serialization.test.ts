import type { V1LimitRange, V1NetworkPolicy, V1Pod } from "@kubernetes/client-node";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { V1MicroTime } from "../../../../core/kubernetes/client-node.ts";
import { fromWire, toWire } from "../../../../core/kubernetes/serialization.ts";

// client-node's own (de)serializer, which it does not export: what it does is right for what its models know.
const { ObjectSerializer } = (await import(
  new URL("gen/models/ObjectSerializer.js", import.meta.resolve("@kubernetes/client-node")).href
)) as {
  ObjectSerializer: {
    serialize(value: unknown, type: string): unknown;
    deserialize(json: unknown, type: string): unknown;
  };
};

const policy: V1NetworkPolicy = {
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "org1", annotations: { _from: "mine", from: "mine", time: "2026-01-01T00:00:00Z" } },
  spec: {
    podSelector: { matchLabels: { from: "label" } },
    ingress: [{ _from: [{ namespaceSelector: {} }], ports: [{ port: "grpc" }] }],
  },
};
const limits: V1LimitRange = {
  apiVersion: "v1",
  kind: "LimitRange",
  metadata: { name: "small" },
  spec: { limits: [{ type: "Container", _default: { cpu: "1" } }] },
};
const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "peer0-0",
    creationTimestamp: "2026-01-01T00:00:00Z",
    labels: { startTime: "2026-01-01T00:00:00Z" },
    managedFields: [{ manager: "kubectl-fabric", time: "2026-01-01T00:00:00Z", fieldsV1: { "f:from": { time: "x" } } }],
  },
  spec: { containers: [{ name: "peer", env: [{ name: "time", value: "2026-01-01T00:00:00Z" }] }] },
  status: {
    startTime: "2026-01-01T00:00:00Z",
    conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z", lastProbeTime: null }],
    containerStatuses: [
      {
        name: "peer",
        image: "p",
        imageID: "",
        ready: true,
        restartCount: 0,
        state: { running: { startedAt: "2026-01-01T00:00:00Z" } },
      },
    ],
  },
};

describe("against client-node's serializer", () => {
  test.each([
    ["V1NetworkPolicy", policy],
    ["V1LimitRange", limits],
  ])("%s is written alike", (type, object) => {
    expect(toWire(object)).toEqual(plain(ObjectSerializer.serialize(object, type)));
  });

  test.each([
    ["V1NetworkPolicy", toWire(policy)],
    ["V1LimitRange", toWire(limits)],
    ["V1Pod", pod],
  ])("%s is read alike", (type, json) => {
    const theirs = ObjectSerializer.deserialize(json, type);
    expect(fromWire(json)).toEqual(withoutClasses(theirs));
  });
});

test("times are Dates, and only where Kubernetes has times", () => {
  const read = fromWire(pod) as V1Pod;
  expect(read.metadata?.creationTimestamp).toEqual(new Date("2026-01-01T00:00:00Z"));
  expect(read.metadata?.labels?.["startTime"]).toBe("2026-01-01T00:00:00Z");
  expect(read.spec?.containers[0]?.env?.[0]?.value).toBe("2026-01-01T00:00:00Z");
});

test("a lease's times keep their microseconds on the wire", () => {
  const read = fromWire({ spec: { renewTime: "2026-01-01T00:00:00.000000Z" } }) as { spec: { renewTime: unknown } };
  expect(read.spec.renewTime).toBeInstanceOf(V1MicroTime);
  expect(toWire(read)).toEqual({ spec: { renewTime: "2026-01-01T00:00:00.000000Z" } });
});

test("of a custom resource only metadata is known", () => {
  const json = {
    metadata: { creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { from: 1, notAfter: "x", time: "2026-01-01T00:00:00Z" },
  };
  expect(fromWire(json, false)).toEqual({ ...json, metadata: { creationTimestamp: new Date("2026-01-01T00:00:00Z") } });
});

test("what was read is written back as it was, unknown fields too", () => {
  const keys = fc.constantFrom("from", "default", "name", "replicas", "futureField", "data");
  const json = fc.dictionary(keys, fc.oneof(fc.string(), fc.integer(), fc.dictionary(keys, fc.array(fc.string()))));
  fc.assert(
    fc.property(json, (value) => {
      expect(toWire(fromWire(value))).toEqual({ ...value });
    }),
  );
});

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Their models are class instances whose absent fields are undefined. */
function withoutClasses(value: unknown): unknown {
  if (value instanceof Date || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutClasses);
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) => (member === undefined ? [] : [[name, withoutClasses(member)]])),
  );
}
