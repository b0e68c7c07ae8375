import type { V1Container, V1Pod } from "@kubernetes/client-node";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { annotationKeys } from "../../../../core/injection/annotations.ts";
import { isNodeSocket } from "../../../../core/injection/node-socket.ts";
import { injectPod } from "../../../../core/injection/inject.ts";
import { dockerEndpoint, socketGroup } from "../../../../core/injection/profile.ts";
import { cpuQuantity, memoryQuantity, nanoUnits } from "../../../../core/injection/quantity.ts";
import { sidecarName } from "../../../../core/injection/sidecar.ts";
import { context, peerPod, pod } from "./pod-arbitrary.ts";

const runs = 500;
const timeoutMs = 10_000 + runs * 5;

test(
  "any Pod has an outcome, and injecting its result again changes nothing",
  () => {
    fc.assert(
      fc.property(pod, context, (any, given) => {
        const before = structuredClone(any);
        const first = injectPod(any, given);
        expect(any).toEqual(before);
        if (first.kind !== "injected" || first.pod === undefined) return;
        expect(injectPod(first.pod, given)).toEqual({ kind: "untouched", reason: "already-injected", pod: first.pod });
      }),
      { numRuns: runs },
    );
  },
  timeoutMs,
);

test(
  "a Pod without the annotation is untouched",
  () => {
    fc.assert(
      fc.property(pod, context, (any, given) => {
        const { [annotationKeys.inject]: _, ...rest } = any.metadata?.annotations ?? {};
        const plain: V1Pod = Object.assign({}, any, { metadata: { annotations: rest } });
        expect(injectPod(plain, given)).toEqual({ kind: "untouched", reason: "no-annotation", pod: plain });
      }),
      { numRuns: runs },
    );
  },
  timeoutMs,
);

test(
  "a peer beyond doubt is injected: wired once each, one sidecar, no socket of the node on it",
  () => {
    fc.assert(
      fc.property(peerPod, context, (any, given) => {
        const outcome = injectPod(any, given);
        if (outcome.kind !== "injected") throw new Error(JSON.stringify(outcome));
        if (outcome.pod === undefined) throw new Error("no Pod");
        expect(injectPod(outcome.pod, given).kind).toBe("untouched");
        const { spec } = outcome.pod;
        const peer = spec?.containers.find(({ name }) => name === "the-peer");
        const endpoints = (peer?.env ?? []).filter(({ name }) => name === "CORE_VM_ENDPOINT");
        expect(endpoints).toEqual([{ name: "CORE_VM_ENDPOINT", value: dockerEndpoint }]);
        expect(spec?.securityContext?.supplementalGroups?.filter((group) => group === socketGroup)).toHaveLength(1);
        const all = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
        expect(all.filter(({ name }) => name === sidecarName)).toHaveLength(1);
        const sockets = (spec?.volumes ?? []).filter(isNodeSocket).map(({ name }) => name);
        expect((peer?.volumeMounts ?? []).filter(({ name }) => sockets.includes(name))).toEqual([]);
      }),
      { numRuns: runs },
    );
  },
  timeoutMs,
);

/** What Kubernetes adds up of the containers of a Pod (component-helpers/resource, AggregateContainerRequests). */
function requestsOfContainers({ spec }: V1Pod, name: string): bigint {
  const of = ({ resources }: V1Container): bigint =>
    nanoUnits(String(resources?.requests?.[name] ?? resources?.limits?.[name] ?? 0)) ?? 0n;
  const most = (a: bigint, b: bigint): bigint => (a > b ? a : b);
  let sidecars = 0n;
  let starting = 0n;
  for (const container of spec?.initContainers ?? []) {
    if (container.restartPolicy === "Always") sidecars += of(container);
    starting = most(starting, container.restartPolicy === "Always" ? sidecars : sidecars + of(container));
  }
  return most((spec?.containers ?? []).map(of).reduce((sum, size) => sum + size, 0n) + sidecars, starting);
}

test(
  "requests of the Pod itself that were enough for its containers are enough for the injected ones, too",
  () => {
    fc.assert(
      fc.property(peerPod, context, fc.constantFrom("cpu", "memory"), (any, given, name) => {
        const print = name === "cpu" ? cpuQuantity : memoryQuantity;
        const enough = print(requestsOfContainers(any, name));
        const own = { requests: { [name]: enough }, limits: { [name]: enough } };
        const spec = Object.assign({}, any.spec, { resources: own });
        const { pod: made } = injectPod(Object.assign({}, any, { spec }), given);
        if (made === undefined) throw new Error("no Pod");
        const { requests, limits } = made.spec?.resources ?? {};
        expect(nanoUnits(String(requests?.[name])) ?? -1n).toBeGreaterThanOrEqual(requestsOfContainers(made, name));
        const sizes = (made.spec?.containers ?? []).flatMap(({ name: one, resources }) =>
          one === sidecarName ? [nanoUnits(String(resources?.limits?.[name])) ?? 0n] : [],
        );
        const limit = limits?.[name] === undefined ? undefined : nanoUnits(limits[name]);
        expect(sizes.filter((size) => limit !== undefined && size > limit)).toEqual([]);
      }),
      { numRuns: runs },
    );
  },
  timeoutMs,
);
