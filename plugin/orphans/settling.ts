import { setTimeout as sleep } from "node:timers/promises";
import { findingKey, type Finding } from "./finding.ts";
import type { PeerFacts } from "./judgement.ts";
import type { PeerPod } from "./peer-pod.ts";

/** A peer that has just started: superseded images that are removed ahead of it come back. */
export interface Settling {
  readonly peer: string;
  /** By when it has been through its packages, as a rule. */
  readonly until: Date;
}

/** Milliseconds from a peer's start until it is through with some packages, of which nobody waits for more than `atMost`. */
const through = (packages: number, each: number, atMost: number): number => Math.min(10_000 + packages * each, atMost);

// With external builders in core.yaml each package is unpacked first: 1 to 2 s on real peers, 5 s where the machine was busy.
const asARule = (packages: number): number => through(packages, 3000, 300_000);
const atLast = (packages: number): number => through(packages, 10_000, 900_000);

/**
 * A peer that starts goes through what is installed, one package after another, and builds what has no image
 * (Fabric core/chaincode/lifecycle/cache.go, InitializeLocalChaincodes; custodian.go). It does not say when it is through.
 */
export function settling({ name, startedAt }: PeerPod, facts: PeerFacts, now: Date): Settling | undefined {
  if (startedAt === undefined || !facts.known) return undefined;
  const superseded = [...facts.packages.values()].some(({ state }) => state === "superseded");
  const { size } = facts.packages;
  if (!superseded || now.getTime() - startedAt.getTime() >= atLast(size)) return undefined;
  return { peer: name, until: new Date(startedAt.getTime() + asARule(size)) };
}

/** When all peers are through, as a rule. */
export function settledAt(peers: readonly Settling[]): Date {
  return new Date(Math.max(...peers.map(({ until }) => until.getTime())));
}

/** Throws the signal's reason when interrupted. */
export async function pauseUntil(time: Date, signal: AbortSignal): Promise<void> {
  await pause(Math.max(time.getTime() - Date.now(), 0), signal);
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
}

/** How long, in milliseconds, something has to be, how often to look, and when to be content with what is. */
export interface Quiet {
  readonly quietFor: number;
  readonly every: number;
  readonly atMost: number;
}

/** Longer than a peer takes for a package that it need not compile. */
const quiet: Quiet = { quietFor: 20_000, every: 2000, atMost: 600_000 };

/** What is left over, once that has not changed for a while: a peer that builds again is at one package after the other. */
export async function whenQuiet<T extends { readonly findings: readonly Finding[] }>(
  look: () => Promise<T>,
  signal: AbortSignal,
  { quietFor, every, atMost: limit }: Quiet = quiet,
): Promise<T> {
  const begin = performance.now();
  let found = await look();
  let since = performance.now();
  while (performance.now() - since < quietFor && performance.now() - begin < limit) {
    await pause(every, signal);
    const now = await look();
    if (fingerprint(now.findings) !== fingerprint(found.findings)) since = performance.now();
    found = now;
  }
  return found;
}

function fingerprint(findings: readonly Finding[]): string {
  return findings
    .map((finding) => `${findingKey(finding)} ${finding.id}`)
    .toSorted()
    .join("\n");
}
