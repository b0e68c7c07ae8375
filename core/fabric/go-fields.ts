/**
 * The fields of a JSON object as Go reads them into a struct with these names (encoding/json, decode.go): in any case, of several the last, and
 * null as if it were not there. Fields of other names stay as they are written, which Go would drop. Empty for what is no object.
 */
export function goFields(value: unknown, names: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  const known = new Map(names.map((name) => [folded(name), name]));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([name, inner]) => [known.get(folded(name)) ?? name, inner]),
  );
}

/** Go takes the long s for an s, too; the Kelvin sign is a k in lower case anyway (fold.go). */
const folded = (name: string): string => name.replaceAll("\u017f", "s").toLowerCase();
