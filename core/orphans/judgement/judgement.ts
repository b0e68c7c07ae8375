import type { ErrorCode } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import type { Judgement, Verdict } from "./finding.ts";
import { inOrder } from "./order.ts";
import type { PackageState } from "./package-state.ts";

/** What a peer knows of its packages, or why that is unknown. */
export type PeerFacts =
  | { readonly known: true; readonly packages: ReadonlyMap<string, PackageState> }
  /** Unreachable, or nobody told us an identity that it listens to. */
  | { readonly known: false; readonly because: string; readonly code: ErrorCode; readonly hint?: Remedy | undefined };

/** The age that an orphan must have. */
export interface AgeLimit {
  readonly now: Date;
  /** Seconds, given by the user. Undefined: only things that may belong to a running deployment must be older than `grace`. */
  readonly olderThan: number | undefined;
}

/** Seconds for which a thing without a definition may belong to a deployment or build that is running. */
export const grace = 600;

/** Judges a thing that a peer made, or that was made for it, to run a package. */
export function judgePackage(packageId: string, facts: PeerFacts, since: Date | undefined, age: AgeLimit): Judgement {
  if (!facts.known) return { verdict: "kept", because: facts.because };
  const found = facts.packages.get(packageId);
  switch (found?.state) {
    case "needed":
      return { verdict: "needed", because: found.because };
    case "uncommitted":
      return { verdict: "kept", because: "its package is installed and not committed anywhere: it may be on its way" };
    case "superseded":
      return oldEnough({ verdict: "orphan", because: found.because }, since, age, 0);
    case undefined:
      return oldEnough({ verdict: "orphan", because: "the peer has no such package" }, since, age, grace);
  }
}

/** Judges a thing that belongs to no definition, such as the container of a build that has ended. */
export function judgeLeftover(because: string, since: Date | undefined, age: AgeLimit): Judgement {
  return oldEnough({ verdict: "orphan", because }, since, age, grace);
}

/**
 * One judgement from those of several peers: needed if one peer needs the thing, else kept if one is not sure; an orphan only when
 * all agree. Without any judgement it is kept, because of `nobody`. Of several equal ones, the first reason in alphabetical order.
 */
export function agreed(judgements: readonly Judgement[], nobody: string): Judgement {
  const [found] = inOrder(
    judgements,
    ({ verdict }) => String(strength.indexOf(verdict)),
    ({ because }) => because,
  );
  return found ?? { verdict: "kept", because: nobody };
}

const strength: readonly Verdict[] = ["needed", "kept", "orphan"];

function oldEnough(judgement: Judgement, since: Date | undefined, age: AgeLimit, least: number): Judgement {
  const seconds = age.olderThan ?? least;
  if (seconds === 0) return judgement;
  if (since === undefined)
    return { verdict: "kept", because: `${judgement.because}, but its age is not known${anyAge}` };
  if (age.now.getTime() - since.getTime() >= seconds * 1000) return judgement;
  return { verdict: "kept", because: `${judgement.because}, but it is younger than ${formatSeconds(seconds)}` };
}

const anyAge = ": --older-than 0s asks for none";

function formatSeconds(seconds: number): string {
  for (const [unit, size] of [
    ["d", 86_400],
    ["h", 3600],
    ["min", 60],
  ] as const) {
    if (seconds >= size && seconds % size === 0) return `${seconds / size} ${unit}`;
  }
  return `${seconds} s`;
}
