import { deepStrictEqual } from "node:assert";
import type { V1Pod } from "@kubernetes/client-node";
import type { Operation } from "fast-json-patch";
import { annotationKeys } from "../../../core/injection/annotations.ts";
import { applyOperations } from "../../../core/injection/inject.ts";

/** The Pod that an answer makes of the one in the review. */
function patched(pod: V1Pod, answer: string): unknown {
  const { response } = JSON.parse(answer) as { response: { patch: string } };
  const operations = JSON.parse(Buffer.from(response.patch, "base64").toString()) as Operation[];
  const made = applyOperations(pod, operations);
  const annotations = made.metadata?.annotations ?? {};
  if (annotations[annotationKeys.injected] === undefined) throw new Error("expected an injected Pod, found none");
  annotations[annotationKeys.injected] = "";
  return withoutEmpty(made);
}

/** Go writes some empty structs out, and null times: they mean the same. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, withoutEmpty(inner)] as const);
  return Object.fromEntries(entries.filter(([, inner]) => !isEmpty(inner)));
}

function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === "object" && !Array.isArray(value) && Object.keys(value).length === 0);
}

/** Throws AssertionError when two answers do not make the same Pod but for the injection's hash; it shows the difference. */
export function requireSameInjection(pod: V1Pod, ours: string, theirs: string, name: string): void {
  deepStrictEqual(patched(pod, theirs), patched(pod, ours), `${name} makes another Pod`);
}
