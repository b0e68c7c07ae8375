// What the webhook does to any review: valid, odd and hostile. PROPERTY_RUNS=1000000 takes a good quarter of an hour:
//   PROPERTY_RUNS=1000000 npx vitest run --project unit test/unit/core/injection/reviews.test.ts
import { isDeepStrictEqual } from "node:util";
import type { V1Pod } from "@kubernetes/client-node";
import * as fc from "fast-check";
import type { Operation } from "fast-json-patch";
import { expect, test } from "vitest";
import { applyOperations, inject, type InjectionContext } from "../../../../core/injection/inject.ts";
import { annotationKeys } from "../../../../core/injection/annotations.ts";
import {
  answer,
  InvalidReview,
  isPodCreation,
  parseReview,
  passed,
  type AdmissionReview,
} from "../../../../webhook/review.ts";
import { context } from "./pod-arbitrary.ts";
import { review } from "./review-arbitrary.ts";

const runs = Number(process.env["PROPERTY_RUNS"] ?? 2000);

/** As the server answers (admission.ts); undefined for what is no review. */
function answerTo(
  body: string,
  given: InjectionContext,
): { readonly pod: V1Pod; readonly reply: AdmissionReview } | undefined {
  try {
    const request = parseReview(body);
    const { uid, pod } = request;
    return { pod, reply: isPodCreation(request) ? answer(uid, inject(pod, given)) : passed(uid) };
  } catch (thrown) {
    if (thrown instanceof InvalidReview) return undefined;
    throw thrown;
  }
}

test(
  `any of ${runs} reviews has an answer; its patch applies, is made once, and touches nobody who did not ask`,
  () => {
    // Printed for what is found below: of a property that holds, nothing is.
    const { seed = Date.now() | 0 } = fc.readConfigureGlobal();
    const seen = { invalid: 0, passed: 0, untouched: 0, denied: 0, injected: 0 };
    fc.assert(
      fc.property(review, context, (body, given) => {
        const answered = answerTo(body, given);
        if (answered === undefined) return void seen.invalid++;
        const { pod, reply } = answered;
        const { allowed, patch, status, auditAnnotations } = reply.response;
        if (JSON.stringify(reply).length > 100_000) throw new Error("an answer that is far too long");
        if (!allowed) {
          seen.denied++;
          const complete =
            status !== undefined && status.message !== "" && (status.code === 403 || status.code === 422);
          if (!complete || patch !== undefined)
            throw new Error(`a denial without its reason: ${JSON.stringify(reply)}`);
          return;
        }
        const wish: unknown = pod.metadata?.annotations?.[annotationKeys.inject];
        if (patch === undefined) {
          if (auditAnnotations === undefined) seen.passed++;
          else seen.untouched++;
          return;
        }
        seen.injected++;
        if (wish !== "true") throw new Error("a Pod was touched that did not ask for it");
        const operations = JSON.parse(Buffer.from(patch, "base64").toString()) as Operation[];
        const once = applyOperations(pod, operations); // validated: throws for a patch that does not apply
        const again = inject(once, given);
        if (again.kind !== "untouched") throw new Error(`not idempotent: ${JSON.stringify(again)}`);
        if (isDeepStrictEqual(once, pod)) throw new Error("a patch that changes nothing");
      }),
      { numRuns: runs, seed },
    );
    console.log(runs, "reviews of seed", seed, JSON.stringify(seen));
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(Object.values(seen).filter((count) => count === 0)).toEqual([]);
  },
  30_000 + runs * 20,
);
