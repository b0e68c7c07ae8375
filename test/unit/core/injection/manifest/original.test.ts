import * as fc from "fast-check";
import { escapePathComponent } from "fast-json-patch";
import { expect, test } from "vitest";
import { originalOf, recordOriginal, restore } from "../../../../../core/injection/manifest/original.ts";
import { annotationKeys } from "../../../../../core/injection/annotations.ts";
import { applyOperations, inject } from "../../../../../core/injection/inject.ts";
import { context, peerPod } from "../pod-arbitrary.ts";

test("ejecting what was injected gives the Pod back, whatever the Pod", () => {
  fc.assert(
    fc.property(peerPod, context, (pod, given) => {
      const names = (pod.spec?.containers ?? []).map(({ name }) => name);
      fc.pre(new Set(names).size === names.length);
      const outcome = inject(pod, given);
      if (outcome.kind !== "injected") throw new Error(JSON.stringify(outcome));
      const record = JSON.stringify(recordOriginal(pod, outcome.operations));
      const path = `/metadata/annotations/${escapePathComponent(annotationKeys.original)}`;
      const noted = applyOperations(pod, [...outcome.operations, { op: "add", path, value: record }]);
      const original = originalOf(noted);
      if (original === undefined) throw new Error("no record");
      const { operations, kept } = restore(noted, original);
      expect(kept).toEqual([]);
      expect(applyOperations(noted, operations)).toEqual(pod);
    }),
    { numRuns: 500 },
  );
});
