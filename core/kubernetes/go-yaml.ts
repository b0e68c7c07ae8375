import { parse, type Tags } from "yaml";

/** YAML as kubectl reads it (sigs.k8s.io/yaml): "yes" and "on" are booleans, times are texts, the last of two equal keys counts. */
export function parseAsGo(content: string): unknown {
  return parse(content, { version: "1.1", customTags: goTags, uniqueKeys: false, logLevel: "error" });
}

const goTags = (tags: Tags): Tags =>
  tags.filter(
    (tag) =>
      typeof tag === "string" ||
      (!("format" in tag && tag.format === "TIME") &&
        !["timestamp", "set", "omap", "pairs"].some((name) => tag.tag.endsWith(`:${name}`))),
  );
