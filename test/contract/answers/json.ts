export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** As JSON, where generated messages leave their marks: lists named xList, maps that are lists of pairs, and in a random order. */
export function plain(value: unknown): Json {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Map) return inOrder([...(value as ReadonlyMap<string, unknown>)]);
  if (typeof value === "object") {
    if (isMessage(value)) return plain(value.toObject());
    return Object.fromEntries(Object.entries(value).flatMap(([key, one]) => field(key, one)));
  }
  return value as Json;
}

const isMessage = (value: object): value is { toObject(): object } => "toObject" in value;

function field(key: string, value: unknown): readonly [string, Json][] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return [[key, plain(value)]];
  if (!key.endsWith("Map")) return [[key.replace(/List$/, ""), plain(value)]];
  return [[key.replace(/Map$/, ""), inOrder(value as readonly (readonly [string, unknown])[])]];
}

function inOrder(entries: readonly (readonly [string, unknown])[]): Json {
  return Object.fromEntries(entries.map(([name, one]): [string, Json] => [name, plain(one)]).sort(byName));
}

const byName = ([a]: readonly [string, Json], [b]: readonly [string, Json]): number => (a < b ? -1 : 1);

export function sorted(list: readonly Json[]): readonly Json[] {
  const text = (value: Json): string => JSON.stringify(value);
  return [...list].sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

/** The name of a value of an enumeration, as fabric-protos has them. */
export function nameOf(names: object, value: number): string {
  return Object.entries(names).find(([, known]) => known === value)?.[0] ?? String(value);
}

/** As text where it is text, else in base64. */
export function printable(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("utf8");
  // eslint-disable-next-line no-control-regex -- what is not text has them
  return /[\u0000-\u0008\u000e-\u001f\ufffd]/.test(text) ? `base64 ${Buffer.from(bytes).toString("base64")}` : text;
}
