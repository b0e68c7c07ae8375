/** JSON merge patch (RFC 7386). */
export function mergePatched(target: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch;
  const base = isMap(target) ? target : {};
  const changed = Object.entries(patch).flatMap(([key, value]) =>
    value === null ? [] : [[key, mergePatched(base[key], value)] as const],
  );
  const kept = Object.entries(base).filter(([key]) => !Object.hasOwn(patch, key));
  return Object.fromEntries([...kept, ...changed]);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
