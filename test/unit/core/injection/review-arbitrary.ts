// Admission reviews as text: from real Pods, from odd ones, and from people who mean harm.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { parse } from "yaml";
import { annotationKeys } from "../../../../core/injection/annotations.ts";
import { pod, peerPod } from "./pod-arbitrary.ts";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const golden = join(import.meta.dirname, "golden");

/** The golden cases: forms of public charts and operators among them. */
const realPods: readonly Json[] = readdirSync(golden).map(
  (name) => parse(readFileSync(join(golden, name, "pod.yaml"), "utf8")) as Json,
);

const harmfulValues: readonly Json[] = [
  "/".repeat(20_000) + "x",
  "peer ".repeat(2000),
  "$(".repeat(5000),
  `${"a/".repeat(3000)}:`,
  "\u0000\u2028\ud800",
  "__proto__",
  "constructor",
  { ["__proto__"]: { polluted: "yes" } },
  { constructor: { prototype: { polluted: "yes" } } },
  Array.from({ length: 300 }, () => ({ name: "x", mountPath: "/" })),
  [[[[[[[[[[]]]]]]]]]],
  1e308,
  -1,
  true,
  null,
  {},
  [],
  "",
];

/** Replaces one value somewhere in a document. */
function spoiled(document: Json, steps: readonly number[], value: Json): Json {
  const [step, ...rest] = steps;
  if (step === undefined || typeof document !== "object" || document === null) return value;
  if (Array.isArray(document)) {
    if (document.length === 0) return value;
    return (document as Json[]).with(
      step % document.length,
      spoiled((document as Json[])[step % document.length] ?? null, rest, value),
    );
  }
  const keys = Object.keys(document);
  const key = keys[step % keys.length];
  if (key === undefined) return value;
  const fields = document as Record<string, Json>;
  return { ...fields, [key]: spoiled(fields[key] ?? null, rest, value) };
}

const asked = fc.constantFrom<Json>("true", "true", "true", "false", "TRUE", "");

/** A real Pod that asks, with other annotations than it had. */
const real = fc
  .tuple(
    fc.constantFrom(...realPods),
    asked,
    fc.dictionary(
      fc.constantFrom(...Object.values(annotationKeys)),
      fc.constantFrom(
        "1Gi",
        "500m",
        "keep",
        "deny",
        "replace",
        "bridge",
        "pvc:graph",
        "1400",
        "docker:28-dind",
        "docker:27-dind",
        "a b",
        "privileged",
        "sysbox",
        "peer",
      ),
      { maxKeys: 2 },
    ),
  )
  .map(([document, wish, more]): Json => {
    const object = document as { readonly metadata?: { readonly annotations?: Record<string, Json> } };
    const annotations = { ...object.metadata?.annotations, [annotationKeys.inject]: wish, ...more };
    return {
      ...(document as Record<string, Json>),
      metadata: { ...(object.metadata as Record<string, Json>), annotations },
    };
  });

const odd = fc.oneof(pod, peerPod).map((document) => document as unknown as Json);

const hostile = fc
  .tuple(fc.oneof(real, odd), fc.array(fc.nat(20), { minLength: 1, maxLength: 6 }), fc.constantFrom(...harmfulValues))
  .map(([document, steps, value]) => spoiled(document, steps, value));

const document = fc.oneof(
  { weight: 4, arbitrary: real },
  { weight: 3, arbitrary: odd },
  { weight: 3, arbitrary: hostile },
);

function rarely<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof({ weight: 30, arbitrary: fc.constant(null) }, value);
}

/** A review as the API server writes it, or as nearly so as somebody else might. */
export const review = fc
  .record({
    object: document,
    operation: fc.oneof({ weight: 19, arbitrary: fc.constant("CREATE") }, fc.constantFrom("UPDATE", "DELETE", "")),
    subResource: fc.oneof({ weight: 19, arbitrary: fc.constant("") }, fc.constant("ephemeralcontainers")),
    spoil: rarely(fc.tuple(fc.array(fc.nat(20), { maxLength: 4 }), fc.constantFrom(...harmfulValues))),
    cut: rarely(fc.nat(200)),
  })
  .map(({ object, operation, subResource, spoil, cut }) => {
    const whole: Json = {
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      request: {
        uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
        operation,
        subResource,
        namespace: "org1",
        resource: { group: "", version: "v1", resource: "pods" },
        object,
      },
    };
    const text = JSON.stringify(spoil === null ? whole : spoiled(whole, ...spoil));
    return cut === null ? text : text.slice(0, cut);
  });
