import {
  annotationNames,
  annotationKeys,
  documentationOf,
  unknownAnnotations,
  type Annotations,
} from "./annotations.ts";
import { imageMatches, parseImage } from "./image.ts";
import { withoutEndSlashes } from "./mount-path.ts";
import { Denial, type DenialReason } from "./outcome.ts";
import { profiles, type ChaincodeNetwork, type Profile, type Wiring } from "./profile.ts";
import { quantity } from "./quantity.ts";
import {
  isMirror,
  type Bounded,
  type Choice,
  type DockerSocketPolicy,
  type InjectionSettings,
  type ResourceName,
} from "./settings.ts";

/** The volume where the sidecar keeps images and containers. */
export type GraphVolume =
  { readonly kind: "emptyDir"; readonly sizeLimit: string } | { readonly kind: "claim"; readonly claim: string };

/** What one Pod is to get: the user's annotations within the operator's settings. */
export interface InjectionRequest {
  /** The container that the user names as the peer. */
  readonly peerContainer: string | undefined;
  readonly profile: Profile;
  readonly image: string;
  readonly resources: Readonly<Record<ResourceName, string>>;
  readonly graph: GraphVolume;
  readonly dockerSocket: DockerSocketPolicy;
  readonly chaincodeNetwork: ChaincodeNetwork;
  readonly wiring: Wiring;
  readonly registryMirror: string | undefined;
  /** Bytes. */
  readonly mtu: number | undefined;
  readonly preload: readonly string[];
  /** Images whose files are archives of `docker save`. */
  readonly preloadArchives: readonly string[];
  /** Seconds without a call after which chaincode is stopped; unset: never. */
  readonly chaincodeIdle?: number;
}

const subdomainPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/**
 * Reads the annotations of a Pod.
 * Throws Denial when a value is not allowed; the sentence names the annotation, its value and what is allowed.
 */
export function parseRequest(annotations: Annotations, settings: InjectionSettings): InjectionRequest {
  rejectUnknown(annotations);
  const profile = profiles[choice(annotations, annotationKeys.profile, settings.profile, "profile")];
  const chaincodeNetwork = choice(
    annotations,
    annotationKeys.chaincodeNetwork,
    settings.chaincodeNetwork,
    "chaincodeNetwork",
  );
  rejectWithoutMeaning(annotations, profile);
  return {
    peerContainer: annotations[annotationKeys.peerContainer],
    profile,
    image: image(annotations, settings.images[profile.name], `images.${profile.name}.allowed`),
    resources: resources(annotations, settings),
    graph: graph(annotations, settings),
    dockerSocket: choice(annotations, annotationKeys.dockerSocket, settings.dockerSocket, "dockerSocket"),
    chaincodeNetwork,
    wiring: wiring(profile, chaincodeNetwork),
    registryMirror: registryMirror(annotations, settings.registryMirror),
    mtu: mtu(annotations),
    preload: images(annotations, annotationKeys.preload),
    preloadArchives: images(annotations, annotationKeys.preloadArchives),
    ...chaincodeIdle(annotations),
  };
}

function deny(reason: DenialReason, key: string, value: string, allowed: string): Denial {
  return new Denial(reason, { key, value, allowed, documentation: documentationOf(key) });
}

/** The denial for a value that the operator's settings do not allow. */
function beyond(
  reason: "not-allowed" | "out-of-bounds",
  key: string,
  value: string,
  allowed: string,
  setting: string,
): Denial {
  return new Denial(reason, { key, value, allowed, documentation: documentationOf(key), setting });
}

function rejectUnknown(annotations: Annotations): void {
  const [key] = unknownAnnotations(annotations);
  if (key === undefined) return;
  const problem = {
    key,
    value: annotations[key] ?? "",
    allowed: annotationNames().join(", "),
    documentation: "docs/injection.md#annotations",
  };
  throw new Denial(
    "unknown-annotation",
    problem,
    `${key.slice(0, 100)} is not an annotation of kubectl-fabric; known are ${problem.allowed}`,
  );
}

/** Denies an annotation that the profile would silently ignore. */
function rejectWithoutMeaning(annotations: Annotations, { name, withoutMeaning = [] }: Profile): void {
  for (const key of withoutMeaning.map((word) => annotationKeys[word])) {
    const value = annotations[key];
    if (value !== undefined) throw deny("contradiction", key, value, `nothing: the profile ${name} has no Docker`);
  }
}

/** An annotation's value, one of the words that the operator allows. */
function choice<T extends string>(
  annotations: Annotations,
  key: string,
  { default: fallback, allowed }: Choice<T>,
  setting: string,
): T {
  const value = annotations[key];
  if (value === undefined) return fallback;
  const found = allowed.find((word) => word === value);
  if (found === undefined)
    throw beyond("not-allowed", key, value, `one of ${allowed.join(", ")}`, `${setting}.allowed`);
  return found;
}

/** Whether an operator allows an image: it is the default one, or one of the patterns covers it. */
export function imageAllowed(reference: string, { default: fallback, allowed }: Choice<string>): boolean {
  const parsed = parseImage(reference);
  return reference === fallback || (parsed !== undefined && allowed.some((entry) => imageMatches(parsed, entry)));
}

function image(annotations: Annotations, { default: fallback, allowed }: Choice<string>, setting: string): string {
  const key = annotationKeys.image;
  const value = annotations[key];
  if (value === undefined) return fallback;
  if (parseImage(value) === undefined) throw deny("invalid-value", key, value, "an image reference");
  if (!imageAllowed(value, { default: fallback, allowed }))
    throw beyond("not-allowed", key, value, `an image that matches one of ${allowed.join(", ")}`, setting);
  return value;
}

function resources(annotations: Annotations, settings: InjectionSettings): Readonly<Record<ResourceName, string>> {
  const bounds = settings.resources;
  const cpu = pair(annotations, bounds, ["cpuRequest", "cpuLimit"]);
  const memory = pair(annotations, bounds, ["memoryRequest", "memoryLimit"]);
  return { cpuRequest: cpu.request, cpuLimit: cpu.limit, memoryRequest: memory.request, memoryLimit: memory.limit };
}

/** Request and limit. When only one is given and contradicts the other's default, the other becomes equal to it. */
function pair(
  annotations: Annotations,
  bounds: InjectionSettings["resources"],
  [requestName, limitName]: readonly [ResourceName, ResourceName],
): { request: string; limit: string } {
  const [requestKey, limitKey] = [annotationKeys[requestName], annotationKeys[limitName]];
  const request = bounded(annotations, requestKey, bounds[requestName], `resources.${requestName}`);
  const limit = bounded(annotations, limitKey, bounds[limitName], `resources.${limitName}`);
  if (sizeOf(request) <= sizeOf(limit)) return { request, limit };
  if (annotations[limitKey] === undefined) return { request, limit: request };
  if (annotations[requestKey] === undefined) return { request: limit, limit };
  throw deny("contradiction", requestKey, request, `at most the limit ${limit} of ${limitKey}`);
}

function bounded(
  annotations: Annotations,
  key: string,
  { default: fallback, minimum, maximum }: Bounded,
  setting: string,
): string {
  const value = annotations[key];
  if (value === undefined) return fallback;
  const size = quantity(value);
  if (size === undefined) throw deny("invalid-value", key, value, `a quantity from ${minimum} to ${maximum}`);
  const within = sizeOf(minimum) <= size && size <= sizeOf(maximum);
  if (!within) throw beyond("out-of-bounds", key, value, `a quantity from ${minimum} to ${maximum}`, setting);
  return value;
}

function sizeOf(text: string): number {
  return quantity(text) ?? Number.NaN;
}

function graph(annotations: Annotations, { storage }: InjectionSettings): GraphVolume {
  const key = annotationKeys.storage;
  const value = annotations[key] ?? "emptyDir";
  if (value === "emptyDir") {
    return {
      kind: "emptyDir",
      sizeLimit: bounded(annotations, annotationKeys.storageLimit, storage.limit, "storage.limit"),
    };
  }
  const claim = /^pvc:(.+)$/.exec(value)?.[1];
  if (claim === undefined || !isSubdomain(claim)) throw deny("invalid-value", key, value, "emptyDir or pvc:<claim>");
  if (!storage.claims) throw beyond("not-allowed", key, value, "emptyDir", "storage.claims");
  const limit = annotations[annotationKeys.storageLimit];
  if (limit !== undefined) {
    throw deny(
      "contradiction",
      annotationKeys.storageLimit,
      limit,
      `nothing beside ${key}: ${value}, whose claim has a size of its own`,
    );
  }
  return { kind: "claim", claim };
}

function isSubdomain(text: string): boolean {
  return text.length <= 253 && subdomainPattern.test(text);
}

function wiring(profile: Profile, network: ChaincodeNetwork): Wiring {
  const found = profile.wiring[network];
  if (found !== undefined) return found;
  const possible = Object.keys(profile.wiring).join(", ");
  throw deny(
    "contradiction",
    annotationKeys.chaincodeNetwork,
    network,
    `${possible} under the profile ${profile.name}`,
  );
}

function registryMirror(annotations: Annotations, { default: fallback, allowed }: Choice<string>): string | undefined {
  const key = annotationKeys.registryMirror;
  const value = annotations[key];
  if (value === undefined) return fallback === "" ? undefined : fallback;
  if (!isMirror(value))
    throw deny("invalid-value", key, value, "an http:// or https:// URL without user, query and fragment");
  if (!allowed.some((url) => withoutEndSlashes(url) === withoutEndSlashes(value))) {
    const choices = allowed.length === 0 ? "nothing: the operator allows no mirror" : `one of ${allowed.join(", ")}`;
    throw beyond("not-allowed", key, value, choices, "registryMirror.allowed");
  }
  return value;
}

/** A cold start takes a second: with a shorter time, chaincode would only start and stop. */
const shortestIdleSeconds = 5;

function chaincodeIdle(annotations: Annotations): { readonly chaincodeIdle?: number } {
  const key = annotationKeys.chaincodeIdle;
  const value = annotations[key];
  if (value === undefined) return {};
  const [, count = "", unit = "s"] = /^(\d{1,5})(s|m|h)$/.exec(value) ?? [];
  const seconds = Number(count) * ({ s: 1, m: 60, h: 3600 }[unit] ?? 1);
  if (seconds < shortestIdleSeconds) throw deny("invalid-value", key, value, "a time from 5s, such as 30s, 10m or 1h");
  return { chaincodeIdle: seconds };
}

function mtu(annotations: Annotations): number | undefined {
  const key = annotationKeys.mtu;
  const value = annotations[key];
  if (value === undefined) return undefined;
  // 576 is what every IPv4 host accepts (RFC 791), 65535 the largest packet.
  const bytes = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (bytes < 576 || bytes > 65_535)
    throw deny("invalid-value", key, value, "a whole number of bytes from 576 to 65535");
  return bytes;
}

/** A limit, because each of the archives is a volume. */
const mostImages = 20;

function images(annotations: Annotations, key: string): readonly string[] {
  const value = annotations[key];
  if (value === undefined) return [];
  const references = value.split(/[\s,]+/).filter((text) => text !== "");
  if (references.length > mostImages)
    throw deny("invalid-value", key, String(references.length), `at most ${mostImages} image references`);
  const wrong = references.find((reference) => parseImage(reference) === undefined);
  if (wrong !== undefined) throw deny("invalid-value", key, wrong, "image references separated by commas or spaces");
  return references;
}
