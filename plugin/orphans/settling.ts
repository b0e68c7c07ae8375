import { setTimeout as sleep } from "node:timers/promises";
import type { Step } from "../steps/step.ts";
import type { PeerFacts } from "./judgement.ts";
import type { PeerPod } from "./peer-pod.ts";

/** A peer that has just started: superseded images that are removed ahead of it come back. */
export interface Settling {
  readonly peer: string;
  readonly packages: number;
  readonly startedAt: Date;
  /** By when it has been through its packages. */
  readonly until: Date;
}

// Milliseconds. With external builders in core.yaml each package is unpacked first, which took real peers 1 to 2 s.
const startTakes = 10_000;
const packageTakes = 2000;
const atMost = 300_000;

/**
 * A peer that starts goes through what is installed, one package after another, and builds what has no image
 * (Fabric core/chaincode/lifecycle/cache.go, InitializeLocalChaincodes; custodian.go). It does not say when it is through.
 */
export function settling({ name, startedAt }: PeerPod, facts: PeerFacts, now: Date): Settling | undefined {
  if (startedAt === undefined || !facts.known) return undefined;
  const packages = facts.packages.size;
  const until = new Date(startedAt.getTime() + Math.min(startTakes + packages * packageTakes, atMost));
  const superseded = [...facts.packages.values()].some(({ state }) => state === "superseded");
  return superseded && until > now ? { peer: name, packages, startedAt, until } : undefined;
}

/** Peers that have just started are through with their packages. */
export function settledStep(peers: readonly Settling[]): Step {
  const until = new Date(Math.max(...peers.map((peer) => peer.until.getTime())));
  const remaining = (): number => until.getTime() - Date.now();
  return {
    id: "peers/settled",
    title: "peers that have just started have looked at their packages",
    after: [],
    async observe() {
      if (remaining() <= 0) return { done: true };
      return { done: false, change: peers.map(({ peer, packages }) => `${peer} has ${packages}`).join(", ") };
    },
    async act({ signal, progress }) {
      const started = peers.map(({ peer, startedAt }) => `${peer} started at ${timeOf(startedAt)}`).join(", ");
      progress(`${started}: waiting until ${timeOf(until)}, or what is removed would come back`);
      await sleep(Math.max(remaining(), 0), undefined, { signal });
    },
  };
}

const timeOf = (date: Date): string => `${date.toISOString().slice(11, 19)}Z`;
