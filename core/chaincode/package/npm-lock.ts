import type { NodeManifest } from "../../fabric/package/node-manifest.ts";
import { readJson } from "../../fabric/json-text.ts";
import type { Remedy } from "../../remedy.ts";

/** What npm installs of a lock file for production, on Linux. */
export interface LockedPackages {
  /** Folders, as node_modules/a and node_modules/a/node_modules/b. */
  readonly folders: ReadonlySet<string>;
  /** Those of `folders` that npm must have installed: an optional one it leaves out where it does not fit. */
  readonly needed: ReadonlySet<string>;
  /** Names of those that are of one processor. */
  readonly ofProcessor: readonly string[];
}

/** Why there is no bundle. */
export interface NoBundle {
  readonly because: Remedy;
  /** Whether people ought to know, who asked for nothing. */
  readonly isNews?: true;
}

/** Of a package in a lock file (docs.npmjs.com/cli/configuring-npm/package-lock-json). */
interface Entry {
  readonly version?: string;
  readonly resolved?: unknown;
  readonly integrity?: unknown;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly inBundle?: boolean;
  readonly hasInstallScript?: boolean;
  readonly os?: unknown;
  readonly cpu?: unknown;
  readonly libc?: unknown;
}

/** Their install scripts make nothing: they print about versions, or for donations. */
const idleScripts: ReadonlySet<string> = new Set(["protobufjs", "core-js", "core-js-pure", "es5-ext"]);

/**
 * What a lock file brings, if it says all of it and agrees with package.json, as `npm ci` demands. `asked`: a bundle was asked for, and npm
 * finds what has no address by name and version.
 */
export function lockedPackages(text: string, manifest: NodeManifest, asked: boolean): LockedPackages | NoBundle {
  const packages = entriesIn(text);
  if (packages === undefined)
    return { because: "its lock file is none of npm 7 or later: npm install --package-lock-only" };
  if (!agrees(packages[""], manifest))
    return { because: "its lock file and package.json disagree: npm install --package-lock-only" };
  const all = Object.entries(packages).filter(([path, { dev }]) => path !== "" && dev !== true);
  const local = all.find(([path, { link }]) => link === true || !path.startsWith("node_modules/"));
  if (local) return { because: `its lock file has a package of the folder's own (${local[0]})` };
  const some = all.filter(([, { os, cpu, libc }]) => takes(os, "linux") && takes(cpu, "x64") && takes(libc, "musl"));
  const open = some.find(([, entry]) => entry.inBundle !== true && !isFixed(entry, asked));
  if (open) return { because: `its lock file does not say where ${nameOf(open[0])} comes from, and its checksum` };
  const built = some.filter(
    ([path, entry]) => entry.hasInstallScript === true && entry.optional !== true && !idleScripts.has(nameOf(path)),
  );
  if (built.length > 0) {
    const names = built.map(([path]) => nameOf(path)).join(", ");
    return { because: `${names} has to run an install script, where the chaincode runs`, isNews: true };
  }
  return {
    folders: new Set(some.map(([path]) => path)),
    needed: new Set(some.flatMap(([path, { optional }]) => (optional === true ? [] : [path]))),
    ofProcessor: some.filter(([, { cpu }]) => Array.isArray(cpu)).map(([path]) => nameOf(path)),
  };
}

function entriesIn(text: string): Readonly<Record<string, Entry>> | undefined {
  const read = readJson(text.replace(/^\ufeff/, ""));
  const value = "value" in read ? read.value : undefined;
  if (typeof value !== "object" || value === null) return undefined;
  const { packages } = value as { readonly packages?: unknown };
  return typeof packages === "object" && packages !== null ? entriesOf(packages) : undefined;
}

const entriesOf = (packages: object): Readonly<Record<string, Entry>> =>
  Object.fromEntries(Object.entries(packages).map(([path, entry]) => [path, (entry ?? {}) as Entry]));

/** An address and a checksum; where a bundle was asked for, the checksum alone. */
const isFixed = ({ resolved, integrity }: Entry, asked: boolean): boolean =>
  typeof integrity === "string" && (asked || (typeof resolved === "string" && /^https?:/.test(resolved)));

const groups = ["dependencies", "optionalDependencies", "devDependencies"] as const;

function agrees(root: Entry | undefined, manifest: NodeManifest): boolean {
  const locked = (root ?? {}) as NodeManifest;
  return groups.every((group) => printed(locked[group]) === printed(manifest[group]));
}

const printed = (names: object | null = {}): string =>
  JSON.stringify(Object.entries(names ?? {}).toSorted(([one], [other]) => (one < other ? -1 : 1)));

/** package.json's "os", "cpu" and "libc": names, or names with "!" that are excluded. */
function takes(field: unknown, wanted: string): boolean {
  const names = (Array.isArray(field) ? field : []).filter((name) => typeof name === "string");
  if (names.includes(`!${wanted}`)) return false;
  const some = names.filter((name) => !name.startsWith("!"));
  return some.length === 0 || some.includes(wanted) || some.includes("any");
}

const nameOf = (path: string): string => path.split("node_modules/").at(-1) ?? path;

/** Whether a path below node_modules is of these packages, or a folder on the way to them. */
export function isOfPackages(folders: ReadonlySet<string>, path: string): boolean {
  let owner = "";
  for (let rest = path; ;) {
    const found = /^(node_modules\/(?:@[^/]+\/)?[^@/][^/]*)(?:\/|$)/.exec(rest);
    if (!found) return /^node_modules(\/@[^/]+)?$/.test(rest) || folders.has(owner);
    owner = owner === "" ? (found[1] ?? "") : `${owner}/${found[1]}`;
    rest = rest.slice(found[0].length);
    if (!folders.has(owner)) return false;
  }
}
