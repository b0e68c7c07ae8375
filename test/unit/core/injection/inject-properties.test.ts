import type { V1Pod } from "@kubernetes/client-node";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { annotationKeys } from "../../../../core/injection/annotations.ts";
import { isNodeSocket } from "../../../../core/injection/node-socket.ts";
import { injectPod } from "../../../../core/injection/inject.ts";
import { dockerEndpoint, socketGroup } from "../../../../core/injection/profile.ts";
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
