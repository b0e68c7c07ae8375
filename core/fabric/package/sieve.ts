import type { LinkFilter } from "./chaincode-folder.ts";

/** What left a path out of a package. */
export interface LeftOutBy {
  /** An ignore file's pattern, or what the rule of packages is about. */
  readonly rule: string;
  /** The ignore file; undefined for a rule of packages (package-rules.ts). */
  readonly file?: string;
  /** Of that file, from 1. */
  readonly line?: number;
  readonly why: string;
}

export interface LeftOut extends LeftOutBy {
  /** From the folder that is packed. A folder ends with "/", and stands for all below it. */
  readonly path: string;
}

/** What a path is left out by; undefined lets it pass. */
export type Judge = (path: string, kind: "file" | "folder", origin: string) => LeftOutBy | undefined;

/** Takes what no judge leaves out, and remembers the rest. */
export interface Sieve {
  readonly takes: LinkFilter;
  /** Sorted by path. */
  leftOut(): readonly LeftOut[];
}

/** The first judge that leaves a path out is the one that is named. */
export function newSieve(judges: readonly Judge[]): Sieve {
  const left: LeftOut[] = [];
  return {
    takes: (path, kind, origin) => {
      for (const judge of judges) {
        const by = judge(path, kind, origin);
        if (by === undefined) continue;
        left.push({ path: kind === "folder" ? `${path}/` : path, ...by });
        return false;
      }
      return true;
    },
    leftOut: () => byPath(left),
  };
}

export const byPath = (leftOut: readonly LeftOut[]): readonly LeftOut[] =>
  leftOut.toSorted((one, other) => (one.path < other.path ? -1 : 1));

/** What left out a path, by itself or with a folder above it. */
export const whyLeftOut = (leftOut: readonly LeftOut[], path: string): LeftOut | undefined =>
  leftOut.find(
    (one) => one.path === path || one.path === `${path}/` || (one.path.endsWith("/") && path.startsWith(one.path)),
  );

/** "line 3 of .fabricignore (src)", or the rule itself. */
export const describeLeftOut = ({ rule, file, line }: LeftOutBy): string =>
  file === undefined ? `the rule about ${rule}` : `line ${line} of ${file} (${rule})`;
