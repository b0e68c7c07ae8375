import type { WireObject } from "./stored-objects.ts";

/** Whether a list or watch with these selectors shows an object: labels that are equal, or there; fields that are equal. */
export function selects(query: URLSearchParams, object: WireObject): boolean {
  const labels = terms(query.get("labelSelector"));
  const fields = terms(query.get("fieldSelector"));
  return (
    labels.every(([name, value]) => matches(object.metadata.labels?.[name], value)) &&
    fields.every(([path, value]) => matches(valueAt(object, path), value))
  );
}

function terms(selector: string | null): readonly (readonly [string, string | undefined])[] {
  const parts = (selector ?? "").split(",").filter((part) => part !== "");
  return parts.map((part) => {
    if (/[!()]/.test(part)) throw new Error(`expected a selector of equal values, found ${part}`);
    const [name = "", value] = part.split(/==?/);
    return [name, value];
  });
}

function matches(found: unknown, wanted: string | undefined): boolean {
  return wanted === undefined ? found !== undefined : found === wanted;
}

function valueAt(object: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce((value: unknown, name) => (value as Record<string, unknown> | undefined)?.[name], object);
}
