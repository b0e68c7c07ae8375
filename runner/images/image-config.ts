import { createHash } from "node:crypto";

/** The fields of an image's configuration that are used here (OCI image specification, config.md). Written once, never changed. */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  /** ISO 8601. */
  readonly created: string;
  readonly config: {
    readonly Env: readonly string[];
    readonly Cmd: readonly string[];
    readonly Labels: Readonly<Record<string, string>>;
  };
  readonly rootfs: { readonly type: "layers"; readonly diff_ids: readonly string[] };
}

/** The configuration's bytes, and the image's ID: their SHA-256, as in Docker. */
export function encodeConfig(config: ImageConfig): { readonly bytes: string; readonly id: string } {
  const bytes = JSON.stringify(config);
  return { bytes, id: createHash("sha256").update(bytes).digest("hex") };
}

/** The digests of the layers' archives, in hex. */
export function layersOf({ rootfs }: ImageConfig): readonly string[] {
  return rootfs.diff_ids.map((digest) => digest.replace(/^sha256:/, ""));
}

/** Reads a configuration; missing fields are empty. Undefined for another text. */
export function parseConfig(text: string): ImageConfig | undefined {
  const found = parseJson(text);
  if (!isRecord(found)) return undefined;
  const config = isRecord(found["config"]) ? found["config"] : {};
  const rootfs = isRecord(found["rootfs"]) ? found["rootfs"] : {};
  const layers = strings(rootfs["diff_ids"]);
  if (layers.some((layer) => !/^sha256:[0-9a-f]{64}$/.test(layer))) return undefined;
  return {
    architecture: word(found["architecture"]),
    os: word(found["os"]),
    created: word(found["created"]),
    config: { Env: strings(config["Env"]), Cmd: strings(config["Cmd"]), Labels: labels(config["Labels"]) },
    rootfs: { type: "layers", diff_ids: layers },
  };
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

export function labels(value: unknown): Readonly<Record<string, string>> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

function word(value: unknown): string {
  return typeof value === "string" ? value : "";
}
