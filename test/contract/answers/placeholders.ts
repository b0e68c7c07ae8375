import type { Json } from "./json.ts";

/** Words that stand for what is another in each run, such as an address, longest first. */
export type KnownNames = readonly (readonly [text: string, placeholder: string])[];

/** What is another in each run, wherever it stands in a text; numbered by kind in the order in which it is met. */
const varying: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ["certificate", /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----\n?/g],
  ["time", /\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d| [+-]\d{4} [A-Z]+)(?: m=[+-][\d.]+)?/g],
  ["hash", /\b(?!0{64})[0-9a-f]{64}\b/g],
  ["port", /(?<=(?:localhost|127\.0\.0\.1|\[::1\]):)\d+/g],
  // Which block a transaction gets into depends on how orderers cut them.
  ["block", /^block \d+$/g],
];

/**
 * Puts names in the place of what is another in each run. Equal values get equal names: `<tx-1>` is one transaction wherever it stands.
 * Names are given in the order in which values stand in the answers.
 */
export function withPlaceholders(answers: Json, known: KnownNames): Json {
  const given = new Map<string, string>();
  const counts = new Map<string, number>();
  const placeholderOf = (kind: string, value: string): string => {
    const found = given.get(value);
    if (found !== undefined) return found;
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    given.set(value, `<${kind}-${count}>`);
    return `<${kind}-${count}>`;
  };
  const inText = (text: string): string => {
    // Go's protobuf puts the one or the other space into its errors, by build (google.golang.org/protobuf, internal/errors).
    const spaced = text.replaceAll("\u00a0", " ");
    const named = known.reduce((rest, [word, name]) => rest.replaceAll(word, name), spaced);
    return varying.reduce(
      (rest, [kind, pattern]) => rest.replace(pattern, (value) => placeholderOf(kind, value)),
      named,
    );
  };
  const inside = (value: Json | undefined, key?: string): Json | undefined => {
    if (typeof value === "string") return key === "tx" && value !== "" ? placeholderOf("tx", value) : inText(value);
    if (Array.isArray(value)) return (value as readonly Json[]).map((one) => inside(one) ?? null);
    if (value === null || typeof value !== "object") return value;
    const entries = Object.entries(value).filter(([, one]) => one !== undefined);
    return Object.fromEntries(entries.map(([name, one]) => [inText(name), inside(one, name)]));
  };
  return inside(answers) ?? null;
}
