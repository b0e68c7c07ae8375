import { FabricError, messageOf } from "../error.ts";
import { parseAsGo } from "./go-yaml.ts";

/** What a kubeconfig says, field by field as the format names them (client-go tools/clientcmd/api/v1/types.go). */
export interface KubeconfigFile {
  readonly currentContext: string | undefined;
  readonly clusters: ReadonlyMap<string, Entry<ClusterFields>>;
  readonly users: ReadonlyMap<string, Entry<UserFields>>;
  readonly contexts: ReadonlyMap<string, Entry<ContextFields>>;
}

/** A named cluster, user or context. */
export interface Entry<Fields> {
  /** The file. */
  readonly source: string;
  readonly fields: Fields;
  /** Fields that the format does not have: "token-file", "exec.cmd". kubectl passes over them; where the entry is used, we do not. */
  readonly unknown: readonly string[];
}

/** Absent, null and empty are one, as in Go. */
export type ClusterFields = Read<typeof clusterFields>;
export type UserFields = Read<typeof userFields>;
type ContextFields = Read<typeof contextFields>;
export type ExecFields = Read<typeof execFields>;

interface Place {
  /** "user of users[0]" */
  readonly path: string;
  readonly unknown: string[];
}
type Reader<T> = (value: unknown, place: Place) => T | undefined;
type Readers = Readonly<Record<string, Reader<unknown>>>;
type Read<Fields extends Readers> = { readonly [Name in keyof Fields]?: ReturnType<Fields[Name]> };

const passedOver: Reader<true> = () => undefined;

const clusterFields = {
  server: text,
  "tls-server-name": text,
  "insecure-skip-tls-verify": flag,
  "certificate-authority": text,
  "certificate-authority-data": data,
  "proxy-url": text,
  // Our requests never ask for compression.
  "disable-compression": flag,
  extensions,
} satisfies Readers;

const execFields = {
  command: text,
  args: texts,
  env: variables,
  apiVersion: text,
  installHint: text,
  provideClusterInfo: flag,
  interactiveMode: text,
} satisfies Readers;

const authProviderFields = { name: text, config: textByName } satisfies Readers;

const userFields = {
  "client-certificate": text,
  "client-certificate-data": data,
  "client-key": text,
  "client-key-data": data,
  token: text,
  tokenFile: text,
  as: text,
  "as-uid": text,
  "as-groups": texts,
  "as-user-extra": textsByName,
  username: text,
  password: text,
  "auth-provider": record(authProviderFields),
  exec: record(execFields),
  extensions,
} satisfies Readers;

const contextFields = { cluster: text, user: text, namespace: text, extensions } satisfies Readers;

const fileFields = {
  kind: text,
  apiVersion: text,
  preferences: passedOver,
  clusters: items,
  users: items,
  contexts: items,
  "current-context": text,
  extensions: passedOver,
} satisfies Readers;

/**
 * Reads a kubeconfig. Pure. Types are as strict as kubectl's: a number is no text, base64 is base64, a name comes once in a list.
 * Throws `invalid` with what was expected at which place.
 */
export function readKubeconfigFile(content: string, source: string): KubeconfigFile {
  try {
    const unknown: string[] = [];
    const file = readFields(fileFields, parseAsGo(content), { path: "the file", unknown });
    if (unknown[0] !== undefined) throw wrong("fields of a kubeconfig", unknown[0]);
    if ((file.kind ?? "Config") !== "Config") throw wrong("kind: Config", file.kind ?? "none");
    if ((file.apiVersion ?? "v1") !== "v1") throw wrong("apiVersion: v1", file.apiVersion ?? "none");
    return {
      currentContext: file["current-context"],
      clusters: named("cluster", clusterFields, file.clusters, source),
      users: named("user", userFields, file.users, source),
      contexts: named("context", contextFields, file.contexts, source),
    };
  } catch (cause) {
    if (cause instanceof FabricError) throw cause;
    throw new FabricError("invalid", `expected a kubeconfig in ${source}, got: ${withoutSource(cause)}`, {
      hint: { kubectl: ["config", "view", "--kubeconfig", source] },
      cause,
    });
  }
}

/** The parser's message without the lines that it cites: they may hold a secret. */
function withoutSource(cause: unknown): string {
  const isMany = cause instanceof Error && "code" in cause && cause.code === "MULTIPLE_DOCS";
  return isMany ? "several documents" : (messageOf(cause).split("\n")[0] ?? "").replace(/:$/, "");
}

/** The entries of a list like `- name: lab`, `cluster: {…}`. */
function named<Fields extends Readers>(
  kind: string,
  fields: Fields,
  list: readonly unknown[] | undefined,
  source: string,
): ReadonlyMap<string, Entry<Read<Fields>>> {
  const found = new Map<string, Entry<Read<Fields>>>();
  for (const [index, item] of (list ?? []).entries()) {
    const place: Place = { path: `${kind}s[${index}]`, unknown: [] };
    const { name, [kind]: read } = readFields<Readers>({ name: text, [kind]: record(fields) }, item, place);
    const [entryName, entry] = [(name as string | undefined) ?? "", (read ?? {}) as Read<Fields>];
    if (found.has(entryName)) throw wrong(`one ${kind} named "${entryName}"`, "two");
    const unknown = place.unknown.map((field) => field.slice(field.startsWith(`${kind}.`) ? kind.length + 1 : 0));
    found.set(entryName, { source, fields: entry, unknown });
  }
  return found;
}

function readFields<Fields extends Readers>(fields: Fields, value: unknown, place: Place): Read<Fields> {
  const read: Record<string, unknown> = {};
  for (const [name, one] of entriesOf(value, place)) {
    const reader = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (reader === undefined) place.unknown.push(name);
    else read[name] = reader(one, within(place, name));
  }
  return read as Read<Fields>;
}

function record<Fields extends Readers>(fields: Fields): Reader<Read<Fields>> {
  return (value, place) => {
    if (isAbsent(value)) return undefined;
    const unknown: string[] = [];
    const read = readFields(fields, value, { path: place.path, unknown });
    const name = place.path.slice(place.path.lastIndexOf(".") + 1);
    place.unknown.push(...unknown.map((field) => `${name}.${field}`));
    return read;
  };
}

function text(value: unknown, { path }: Place): string | undefined {
  if (isAbsent(value) || value === "") return undefined;
  if (typeof value === "string") return value;
  throw wrong(`text in ${path}`, kindOf(value));
}

function flag(value: unknown, { path }: Place): boolean | undefined {
  if (isAbsent(value)) return undefined;
  if (typeof value === "boolean") return value;
  throw wrong(`true or false in ${path}`, kindOf(value));
}

/** Go's encoding/base64: lines may be broken, all else is as the standard says. */
function data(value: unknown, place: Place): Buffer | undefined {
  const lines = text(value, place)?.replaceAll(/[\r\n]/g, "");
  if (lines === undefined || lines === "") return undefined;
  const digits = lines.replace(/={1,2}$/, "");
  if (lines.length % 4 === 0 && !/[^A-Za-z0-9+/]/.test(digits)) return Buffer.from(lines, "base64");
  throw wrong(`base64 in ${place.path}`, "something else");
}

function items(value: unknown, { path }: Place): readonly unknown[] | undefined {
  if (isAbsent(value)) return undefined;
  if (Array.isArray(value)) return value;
  throw wrong(`a list in ${path}`, kindOf(value));
}

function texts(value: unknown, place: Place): readonly string[] | undefined {
  return items(value, place)?.map((one, index) => text(one, within(place, `[${index}]`)) ?? "");
}

function textByName(value: unknown, place: Place): Readonly<Record<string, string>> | undefined {
  return byName(value, place, (one, where) => text(one, where) ?? "");
}

function textsByName(value: unknown, place: Place): Readonly<Record<string, readonly string[]>> | undefined {
  return byName(value, place, (one, where) => texts(one, where) ?? []);
}

function byName<T>(value: unknown, place: Place, read: (one: unknown, place: Place) => T) {
  if (isAbsent(value)) return undefined;
  const pairs = entriesOf(value, place).map(([name, one]) => [name, read(one, within(place, name))] as const);
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs);
}

function variables(value: unknown, place: Place) {
  return items(value, place)?.map((one, index) =>
    readFields({ name: text, value: text }, one, within(place, `[${index}]`)),
  );
}

/** Extensions by name: what other programs wrote, and what a credential plugin wants to know of its cluster. */
function extensions(value: unknown, place: Place): ReadonlyMap<string, unknown> | undefined {
  const list = items(value, place);
  return (
    list &&
    new Map(
      list.map((one, index) => {
        const { name, extension } = Object.fromEntries(entriesOf(one, within(place, `[${index}]`)));
        return [text(name, within(place, "name")) ?? "", extension];
      }),
    )
  );
}

const within = ({ path, unknown }: Place, name: string): Place => ({
  path: name.startsWith("[") ? path + name : path === "the file" ? name : `${path}.${name}`,
  unknown,
});

const isAbsent = (value: unknown): value is undefined | null => value === undefined || value === null;

function entriesOf(value: unknown, { path }: Place): readonly [string, unknown][] {
  if (isAbsent(value)) return [];
  if (typeof value === "object" && !Array.isArray(value)) return Object.entries(value);
  throw wrong(`fields in ${path}`, kindOf(value));
}

const wrong = (expected: string, found: string): Error => new Error(`expected ${expected}, found ${found}`);

/** Not the value itself: it may be a secret. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "fields" : `a ${typeof value}`;
}
