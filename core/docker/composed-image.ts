import { createHash } from "node:crypto";
import type { ImageContent } from "./image-content.ts";
import type { Image } from "./images.ts";

/** What a composed image adds to its base, besides a layer. */
export interface ImageAddition {
  /** "NAME=value"; replaces the base's variable of that name. */
  readonly env: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** An image without layers, as the base of one that has no other. */
export const emptyImage = (Architecture: string): Image => ({
  Id: "",
  RepoTags: null,
  Size: 0,
  Architecture,
  Os: "linux",
  RootFS: { Type: "layers" },
  Config: { Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] },
});

/**
 * An image of one more layer, made without a daemon, as `FROM base`, `ADD`, `LABEL` and `ENV` make it. The same base, layer and
 * addition give the same ID: the creation time is the base's.
 */
export function composeImage(base: Image, layer: string, { env, labels }: ImageAddition): ImageContent {
  const replaced = new Set(env.map(variableName));
  const kept = (base.Config?.Env ?? []).filter((variable) => !replaced.has(variableName(variable)));
  const layers = [...(base.RootFS.Layers ?? []), layer];
  const config = Buffer.from(
    JSON.stringify({
      architecture: base.Architecture,
      ...(base.Variant ? { variant: base.Variant } : {}),
      os: base.Os,
      created: base.Created || "1970-01-01T00:00:00Z",
      config: { ...base.Config, Env: [...kept, ...env], Labels: sorted({ ...base.Config?.Labels, ...labels }) },
      rootfs: { type: "layers", diff_ids: layers },
    }),
  );
  return { id: `sha256:${createHash("sha256").update(config).digest("hex")}`, config, layers };
}

const variableName = (variable: string): string => variable.split("=", 1)[0] ?? "";

function sorted(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(labels).sort(([left], [right]) => (left < right ? -1 : 1)));
}
