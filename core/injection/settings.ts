import { documentationOf, annotationPrefix } from "./annotations.ts";
import { imageMatches, parseImage } from "./image.ts";
import type { Problem } from "./outcome.ts";
import { chaincodeNetworks, profileNames, profiles, type ChaincodeNetwork, type ProfileName } from "./profile.ts";
import { quantity } from "./quantity.ts";

const dockerSocketPolicies = ["replace", "keep", "deny"] as const;
/** What happens to a docker.sock of the node that the Pod brings. */
export type DockerSocketPolicy = (typeof dockerSocketPolicies)[number];

const ownDaemonPolicies = ["allow", "deny"] as const;
type OwnDaemonPolicy = (typeof ownDaemonPolicies)[number];

/** The value for users who choose none, and the values that users may choose. */
export interface Choice<T extends string> {
  readonly default: T;
  readonly allowed: readonly T[];
}

/** A Kubernetes quantity with the bounds, both inclusive, that users must keep. */
export interface Bounded {
  readonly default: string;
  readonly minimum: string;
  readonly maximum: string;
}

const resourceNames = ["cpuRequest", "cpuLimit", "memoryRequest", "memoryLimit"] as const;
export type ResourceName = (typeof resourceNames)[number];

/** An operator's settings: users of a namespace choose within them. */
export interface InjectionSettings {
  readonly profile: Choice<ProfileName>;
  /** Images of each profile's sidecar; `allowed` are patterns (image.ts). */
  readonly images: Readonly<Record<ProfileName, Choice<string>>>;
  readonly resources: Readonly<Record<ResourceName, Bounded>>;
  readonly storage: {
    /** Size of the emptyDir that holds images and containers. */
    readonly limit: Bounded;
    /** Whether users may use a claim of their own instead. */
    readonly claims: boolean;
  };
  readonly dockerSocket: Choice<DockerSocketPolicy>;
  readonly chaincodeNetwork: Choice<ChaincodeNetwork>;
  /** URLs; an empty default means none. */
  readonly registryMirror: Choice<string>;
  /** Images that may be a peer, and so reach a daemon: patterns (image.ts), `*` for any. */
  readonly peerImages: readonly string[];
  /** Whether a Pod may have a Docker daemon of its own, to which the peer is wired. Its security is not checked. */
  readonly ownDaemon: OwnDaemonPolicy;
}

export const defaultSettings: InjectionSettings = {
  // Users may have less privilege than the default, never more.
  profile: { default: "privileged", allowed: ["privileged", "restricted"] },
  images: Object.fromEntries(profileNames.map((name) => [name, profiles[name].image])) as unknown as Record<
    ProfileName,
    Choice<string>
  >,
  // Chaincode and its builds run inside the sidecar: a Go build takes about 1 GiB.
  resources: {
    cpuRequest: { default: "100m", minimum: "10m", maximum: "8" },
    cpuLimit: { default: "2", minimum: "100m", maximum: "16" },
    memoryRequest: { default: "256Mi", minimum: "128Mi", maximum: "16Gi" },
    memoryLimit: { default: "2Gi", minimum: "256Mi", maximum: "32Gi" },
  },
  storage: { limit: { default: "10Gi", minimum: "1Gi", maximum: "100Gi" }, claims: true },
  dockerSocket: { default: "replace", allowed: dockerSocketPolicies },
  chaincodeNetwork: { default: "host", allowed: chaincodeNetworks },
  registryMirror: { default: "", allowed: [] },
  peerImages: ["*"],
  ownDaemon: "allow",
};

const settingsApiVersion = `${annotationPrefix}v1alpha1`;
const settingsKind = "InjectionSettings";

export type ParsedSettings =
  | { readonly valid: true; readonly settings: InjectionSettings }
  | { readonly valid: false; readonly problems: readonly Problem[] };

/**
 * Reads an operator's settings from a parsed YAML or JSON document; missing ones are those of `defaultSettings`.
 * Every unknown key and every bad value is reported, each with the allowed values.
 */
export function parseSettings(document: unknown): ParsedSettings {
  const reader = new SettingsReader();
  const settings = reader.settings(document ?? {});
  return reader.problems.length === 0 ? { valid: true, settings } : { valid: false, problems: reader.problems };
}

/** Reads the document once. Collects the problems, and goes on with the default value for each. */
class SettingsReader {
  readonly problems: Problem[] = [];

  settings(document: unknown): InjectionSettings {
    const keys = ["apiVersion", "kind", ...Object.keys(defaultSettings)];
    const root = this.#object(document, "settings", keys);
    this.#constant(root["apiVersion"], "apiVersion", settingsApiVersion);
    this.#constant(root["kind"], "kind", settingsKind);
    const storage = this.#object(root["storage"], "storage", ["limit", "claims"]);
    const defaults = defaultSettings;
    return {
      profile: this.#choice(root["profile"], "profile", defaults.profile, profileNames),
      images: this.#images(root["images"]),
      resources: this.#resources(root["resources"]),
      storage: {
        limit: this.#bounded(storage["limit"], "storage.limit", defaults.storage.limit),
        claims: this.#boolean(storage["claims"], "storage.claims", defaults.storage.claims),
      },
      dockerSocket: this.#choice(root["dockerSocket"], "dockerSocket", defaults.dockerSocket, dockerSocketPolicies),
      chaincodeNetwork: this.#choice(
        root["chaincodeNetwork"],
        "chaincodeNetwork",
        defaults.chaincodeNetwork,
        chaincodeNetworks,
      ),
      registryMirror: this.#mirror(root["registryMirror"]),
      peerImages: this.#strings(root["peerImages"], "peerImages", defaults.peerImages),
      ownDaemon: this.#word(root["ownDaemon"], "ownDaemon", defaults.ownDaemon, ownDaemonPolicies),
    };
  }

  #reject(key: string, value: unknown, allowed: string): void {
    const shown = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
    this.problems.push({ key, value: shown, allowed, documentation: documentationOf("settings") });
  }

  #object(value: unknown, key: string, allowed: readonly string[]): Readonly<Record<string, unknown>> {
    if (value === undefined || value === null) return {};
    if (typeof value !== "object" || Array.isArray(value)) {
      this.#reject(key, value, `an object with ${allowed.join(", ")}`);
      return {};
    }
    for (const name of Object.keys(value)) {
      if (!allowed.includes(name)) this.#reject(key === "settings" ? name : `${key}.${name}`, name, allowed.join(", "));
    }
    return value as Record<string, unknown>;
  }

  #constant(value: unknown, key: string, expected: string): void {
    if (value !== undefined && value !== expected) this.#reject(key, value, expected);
  }

  #boolean(value: unknown, key: string, fallback: boolean): boolean {
    if (value === undefined) return fallback;
    if (typeof value === "boolean") return value;
    this.#reject(key, value, "true or false");
    return fallback;
  }

  #strings(value: unknown, key: string, fallback: readonly string[]): readonly string[] {
    if (value === undefined) return fallback;
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
    this.#reject(key, value, "a list of strings");
    return fallback;
  }

  #text(value: unknown, key: string, fallback: string): string {
    if (value === undefined) return fallback;
    if (typeof value === "string") return value;
    this.#reject(key, value, "a string");
    return fallback;
  }

  #word<T extends string>(value: unknown, key: string, fallback: T, words: readonly T[]): T {
    const found = words.find((known) => known === value);
    if (value !== undefined && found === undefined) this.#reject(key, value, words.join(", "));
    return found ?? fallback;
  }

  /** A default and a list out of a closed set of words. */
  #choice<T extends string>(value: unknown, key: string, fallback: Choice<T>, words: readonly T[]): Choice<T> {
    const object = this.#object(value, key, ["default", "allowed"]);
    const word = (text: string, of: string): T => {
      const found = words.find((known) => known === text);
      if (found === undefined) this.#reject(of, text, words.join(", "));
      return found ?? fallback.default;
    };
    const chosen = word(this.#text(object["default"], `${key}.default`, fallback.default), `${key}.default`);
    const listed = this.#strings(object["allowed"], `${key}.allowed`, fallback.allowed);
    const allowed = listed.map((text) => word(text, `${key}.allowed`));
    if (!allowed.includes(chosen))
      this.#reject(`${key}.default`, chosen, `one of ${key}.allowed: ${allowed.join(", ")}`);
    return { default: chosen, allowed };
  }

  #images(value: unknown): Readonly<Record<ProfileName, Choice<string>>> {
    const object = this.#object(value, "images", profileNames);
    const entries = profileNames.map(
      (name) => [name, this.#imageChoice(object[name], `images.${name}`, name)] as const,
    );
    return Object.fromEntries(entries) as unknown as Record<ProfileName, Choice<string>>;
  }

  #imageChoice(value: unknown, key: string, profile: ProfileName): Choice<string> {
    const object = this.#object(value, key, ["default", "allowed"]);
    const fallback = defaultSettings.images[profile];
    const chosen = this.#text(object["default"], `${key}.default`, fallback.default);
    // An operator who sets another default and no list allows that image alone.
    const listed = object["default"] === undefined ? fallback.allowed : [chosen];
    const allowed = this.#strings(object["allowed"], `${key}.allowed`, listed);
    const image = parseImage(chosen);
    if (image === undefined) this.#reject(`${key}.default`, chosen, "an image reference");
    else if (chosen !== fallback.default && !allowed.some((entry) => entry === chosen || imageMatches(image, entry)))
      this.#reject(`${key}.default`, chosen, `one of ${key}.allowed: ${allowed.join(", ")}`);
    return { default: chosen, allowed };
  }

  #resources(value: unknown): Readonly<Record<ResourceName, Bounded>> {
    const object = this.#object(value, "resources", resourceNames);
    const entries = resourceNames.map(
      (name) => [name, this.#bounded(object[name], `resources.${name}`, defaultSettings.resources[name])] as const,
    );
    const resources = Object.fromEntries(entries) as unknown as Record<ResourceName, Bounded>;
    this.#ordered(resources.cpuRequest.default, resources.cpuLimit.default, "resources.cpuRequest.default");
    this.#ordered(resources.memoryRequest.default, resources.memoryLimit.default, "resources.memoryRequest.default");
    return resources;
  }

  #bounded(value: unknown, key: string, fallback: Bounded): Bounded {
    const object = this.#object(value, key, ["default", "minimum", "maximum"]);
    const bounded = {
      default: this.#quantity(object["default"], `${key}.default`, fallback.default),
      minimum: this.#quantity(object["minimum"], `${key}.minimum`, fallback.minimum),
      maximum: this.#quantity(object["maximum"], `${key}.maximum`, fallback.maximum),
    };
    this.#ordered(bounded.minimum, bounded.default, `${key}.minimum`);
    this.#ordered(bounded.default, bounded.maximum, `${key}.default`);
    return bounded;
  }

  #quantity(value: unknown, key: string, fallback: string): string {
    if (value === undefined) return fallback;
    // YAML reads `4` as a number; Kubernetes takes both.
    const text = typeof value === "number" ? String(value) : value;
    if (typeof text === "string" && (quantity(text) ?? 0) > 0) return text;
    this.#reject(key, value, 'a Kubernetes quantity above 0, such as "500m" or "2Gi"');
    return fallback;
  }

  #ordered(lower: string, upper: string, key: string): void {
    if ((quantity(lower) ?? 0) > (quantity(upper) ?? 0)) this.#reject(key, lower, `at most ${upper}`);
  }

  #mirror(value: unknown): Choice<string> {
    const object = this.#object(value, "registryMirror", ["default", "allowed"]);
    const fallback = defaultSettings.registryMirror;
    const chosen = this.#text(object["default"], "registryMirror.default", fallback.default);
    const listed = this.#strings(object["allowed"], "registryMirror.allowed", fallback.allowed);
    const given = chosen === "" ? listed : [chosen, ...listed];
    for (const url of given) {
      if (!isMirror(url))
        this.#reject("registryMirror", url, "http:// or https:// URLs without user, query and fragment");
    }
    return { default: chosen, allowed: [...new Set(given)] };
  }
}

/** Whether dockerd accepts a URL as a mirror (moby: registry/config.go, ValidateMirror). */
export function isMirror(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === "";
}
