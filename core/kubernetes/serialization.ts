import { V1MicroTime } from "./client-node.ts";

// client-node's types differ from JSON in two ways: some names carry an underscore (`from` is `_from`), and times are Dates.
// Its own ObjectSerializer also drops every field that its version does not know, which must not happen to an object that is
// written back, and needs 360 kB of models. These two functions do the same for the kinds that we use.

const underscored: ReadonlySet<string> = new Set(["_from", "_default"]);
const plain: ReadonlySet<string> = new Set([...underscored].map((name) => name.slice(1)));

/** Fields whose contents are the user's: names below them have no meaning for Kubernetes. */
const opaque: ReadonlySet<string> = new Set([
  "annotations",
  "labels",
  "matchLabels",
  "nodeSelector",
  "selector",
  "data",
  "stringData",
  "binaryData",
  "fieldsV1",
  "parameters",
]);

/** Fields that client-node types as Date, in the groups that we know. */
const times: ReadonlySet<string> = new Set([
  "completionTime",
  "creationTimestamp",
  "deletionTimestamp",
  "deprecatedFirstTimestamp",
  "deprecatedLastTimestamp",
  "expirationTimestamp",
  "finishedAt",
  "firstTimestamp",
  "lastHeartbeatTime",
  "lastPhaseTransitionTime",
  "lastProbeTime",
  "lastScheduleTime",
  "lastSuccessfulTime",
  "lastTimestamp",
  "lastTransitionTime",
  "lastUpdateTime",
  "startTime",
  "startedAt",
  "time",
  "timeAdded",
]);
const microTimes: ReadonlySet<string> = new Set(["acquireTime", "eventTime", "lastObservedTime", "renewTime"]);
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** The JSON of an object of client-node's types. */
export function toWire(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  return mapObject(value, toWire, (name) => (underscored.has(name) ? name.slice(1) : name));
}

/** An object of client-node's types from its JSON. For a kind that is not built in, only `metadata` is converted. */
export function fromWire(json: unknown, builtIn = true): unknown {
  if (builtIn) return revive(json);
  if (typeof json !== "object" || json === null || !("metadata" in json)) return json;
  return { ...json, metadata: revive(json.metadata) };
}

function revive(value: unknown, name = ""): unknown {
  if (typeof value === "string") {
    if (times.has(name) && rfc3339.test(value)) return new Date(value);
    if (microTimes.has(name) && rfc3339.test(value)) return new V1MicroTime(value);
    return value;
  }
  return mapObject(value, revive, (key) => (plain.has(key) ? `_${key}` : key));
}

function mapObject(
  value: unknown,
  map: (value: unknown, name?: string) => unknown,
  rename: (name: string) => string,
): unknown {
  if (Array.isArray(value)) return value.map((item) => map(item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [rename(name), opaque.has(name) ? member : map(member, name)]),
  );
}
