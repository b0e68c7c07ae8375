import type { V1Pod } from "@kubernetes/client-node";
import { cut, type Outcome } from "../core/injection/outcome.ts";

/** The fields of an AdmissionRequest (admission.k8s.io/v1) that we use. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly operation: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subResource: string;
  readonly pod: V1Pod;
}

/** An AdmissionReview with an answer. */
export interface AdmissionReview {
  readonly apiVersion: "admission.k8s.io/v1";
  readonly kind: "AdmissionReview";
  readonly response: AdmissionResponse;
}

interface AdmissionResponse {
  readonly uid: string;
  readonly allowed: boolean;
  readonly patchType?: "JSONPatch";
  /** Base64 of the JSON patch. */
  readonly patch?: string;
  readonly warnings?: readonly string[];
  readonly auditAnnotations?: Readonly<Record<string, string>>;
  readonly status?: { readonly code: number; readonly message: string; readonly reason: string };
}

/** The body is not an AdmissionReview that can be answered. */
export class InvalidReview extends Error {
  override readonly name = "InvalidReview";
}

/** A UUID has 36 characters. */
const longestUid = 100;

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Reads an AdmissionReview. Throws InvalidReview when it is not JSON, not a review of v1, or its uid is missing or too long. */
export function parseReview(body: string): AdmissionRequest {
  const review = fieldsOf(parseJson(body));
  if (review["apiVersion"] !== "admission.k8s.io/v1" || review["kind"] !== "AdmissionReview") {
    const found = `${textOf(review["apiVersion"])} ${textOf(review["kind"])}`.trim();
    throw new InvalidReview(
      `expected admission.k8s.io/v1 AdmissionReview, found ${found === "" ? "neither" : found.slice(0, 100)}`,
    );
  }
  const request = fieldsOf(review["request"]);
  const uid = textOf(request["uid"]);
  if (uid === "" || uid.length > longestUid)
    throw new InvalidReview(`expected a request with a uid of at most ${longestUid} characters`);
  return {
    uid,
    operation: textOf(request["operation"]),
    namespace: textOf(request["namespace"]),
    resource: textOf(fieldsOf(request["resource"])["resource"]),
    subResource: textOf(request["subResource"]),
    pod: fieldsOf(request["object"]),
  };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new InvalidReview("expected JSON, found something else", { cause });
  }
}

/** Whether a review is about a new Pod: updates, deletions and subresources pass unchanged. */
export function isPodCreation({ operation, resource, subResource }: AdmissionRequest): boolean {
  return operation === "CREATE" && resource === "pods" && subResource === "";
}

/** The answer that lets an object pass as it came. */
export function passed(uid: string): AdmissionReview {
  return reviewOf({ uid, allowed: true });
}

/** The answer to a Pod's creation. */
export function answer(uid: string, outcome: Outcome): AdmissionReview {
  switch (outcome.kind) {
    case "untouched":
      return reviewOf({ uid, allowed: true, auditAnnotations: { outcome: outcome.reason } });
    case "denied": {
      const { status: code, message, reason } = outcome;
      const status = { code, message, reason: code === 403 ? "Forbidden" : "Invalid" };
      return reviewOf({ uid, allowed: false, status, auditAnnotations: { outcome: reason } });
    }
    case "injected":
      return reviewOf({
        uid,
        allowed: true,
        patchType: "JSONPatch",
        patch: Buffer.from(JSON.stringify(outcome.operations)).toString("base64"),
        ...(outcome.warnings.length === 0
          ? {}
          : { warnings: outcome.warnings.map(({ message }) => cut(message, 255)) }),
        auditAnnotations: {
          outcome: "injected",
          "peer-container": cut(outcome.peerContainer, 255),
          profile: outcome.profile,
        },
      });
  }
}

function reviewOf(response: AdmissionResponse): AdmissionReview {
  return { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response };
}
