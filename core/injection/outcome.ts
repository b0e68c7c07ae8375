import type { Operation } from "fast-json-patch";
import { webhookObjects } from "./webhook-objects.ts";

/** Why a Pod was left unchanged. */
export const skipSentences = {
  "no-annotation": "the Pod does not ask for injection",
  disabled: "the Pod asks not to be injected",
  "already-injected": "the Pod carries the injection already",
  "mirror-pod": "the Pod mirrors a static Pod, which only the kubelet may change",
} as const;
export type SkipReason = keyof typeof skipSentences;

/** Why a Pod was refused, with the HTTP status that the API server hands on. */
export const denialStatus = {
  "unknown-annotation": 422,
  "invalid-value": 422,
  "not-allowed": 403,
  "out-of-bounds": 403,
  contradiction: 422,
  "peer-not-found": 422,
  "peer-ambiguous": 422,
  "reserved-name": 422,
  "altered-injection": 403,
  "docker-socket": 403,
  "own-daemon": 422,
  "host-namespace": 403,
  "operating-system": 422,
  "fabric-version": 422,
  "pod-security": 403,
  "cluster-version": 422,
  "malformed-pod": 422,
} as const satisfies Record<string, 403 | 422>;
export type DenialReason = keyof typeof denialStatus;

/** Reasons to warn the user although the Pod was injected. */
type WarningReason =
  | "docker-socket-shared"
  | "docker-socket-kept"
  | "own-daemon-tcp"
  | "own-daemon-graph"
  | "fabric-version"
  | "docker-version"
  | "command-overrides"
  | "external-builder"
  | "container-fallback"
  | "fs-group"
  | "process-namespace"
  | "experimental-profile";

export interface Warning {
  readonly reason: WarningReason;
  /** One line of at most 256 characters: the API server cuts longer ones. */
  readonly message: string;
}

/** A value that is not accepted, the allowed values, and their documentation. */
export interface Problem {
  readonly key: string;
  readonly value: string;
  readonly allowed: string;
  readonly documentation: string;
  /** The operator's setting that decides, if there is one: "profile.allowed". */
  readonly setting?: string;
}

/** The ConfigMap of the operator's settings, in our manifests. */
export const settingsPlace = `ConfigMap ${webhookObjects.namespace}/${webhookObjects.name}`;

interface Untouched {
  readonly kind: "untouched";
  readonly reason: SkipReason;
}

interface Injected {
  readonly kind: "injected";
  /** JSON patch (RFC 6902) on the Pod of the review. */
  readonly operations: readonly Operation[];
  readonly warnings: readonly Warning[];
  readonly peerContainer: string;
  readonly profile: string;
  /** The Docker daemon of the Pod's own to which the peer is wired; without one it got a sidecar. */
  readonly ownDaemon?: { readonly container: string; readonly endpoint: string };
}

interface Denied {
  readonly kind: "denied";
  readonly reason: DenialReason;
  /** HTTP status code. */
  readonly status: 403 | 422;
  readonly message: string;
  readonly problem: Problem;
}

export type Outcome = Untouched | Injected | Denied;

/** Thrown inside the injection, and only there: `inject` turns it into an outcome. */
export class Denial extends Error {
  override readonly name = "Denial";
  readonly reason: DenialReason;
  readonly problem: Problem;

  constructor(reason: DenialReason, problem: Problem, sentence?: string) {
    super(sentence === undefined ? sentenceOf(problem) : `${cut(sentence, 1000)} (${problem.documentation})`);
    this.reason = reason;
    this.problem = {
      ...problem,
      key: cut(problem.key, 1000),
      value: cut(problem.value, 1000),
      allowed: cut(problem.allowed, 1000),
    };
  }
}

/** "<key>: expected <allowed>, found <value> (<which setting, where documented>)" */
export function sentenceOf({ key, value, allowed, documentation, setting }: Problem): string {
  const decided = setting === undefined ? "" : `set by ${setting} in ${settingsPlace}; `;
  const expected = `${cut(key, 100)}: expected ${cut(allowed, 1000)}`;
  return `${expected}, found ${JSON.stringify(cut(value, 100))} (${decided}${documentation})`;
}

/** Shortens a text: an annotation may be 256 KiB long, and names in a Pod that is not validated yet as long as a review. */
export function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
