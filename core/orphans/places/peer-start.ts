import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { FabricError, LostConnection } from "../../error.ts";
import { anySignal } from "../../kubernetes/abort.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { execCapture } from "../../kubernetes/exec.ts";
import { logLines } from "../../kubernetes/logs.ts";
import type { Step } from "../../engine/step.ts";
import { custodianStates, type CustodianState } from "./custodian.ts";
import type { Finding } from "../judgement/finding.ts";
import type { PeerFacts } from "../judgement/judgement.ts";
import type { PeerPod } from "../peers/peer-pod.ts";

/**
 * A peer that has superseded packages. At its start it builds each of them whose image is missing: an image that is removed before
 * that comes back. The peer does not say when these builds have ended; a report of its goroutines shows it.
 */
export interface PeerStart {
  readonly peer: string;
  /** IDs of the packages that it would build again. */
  readonly superseded: ReadonlySet<string>;
  /** So when the builds of the peer's start have ended, or cannot be seen. Waits while the peer builds. */
  readonly step: Step;
  /** Whether the peer was seen building: the first look cannot have found its images. */
  built(): boolean;
  /** Why the peer may still build; undefined when its present process has shown that it does not. */
  doubt(signal: AbortSignal): Promise<string | undefined>;
}

/** The process of a peer, as far as we can see it. */
export interface PeerProcess {
  /** The custodian's states in the process's log, oldest first. */
  states(signal: AbortSignal): Promise<readonly CustodianState[]>;
  /** Makes the process write a report of its goroutines. Throws `not-found` when no peer in the container takes SIGUSR1. */
  askForReport(signal: AbortSignal): Promise<void>;
}

/** Waits; rejects with the signal's reason. */
export type Pause = (milliseconds: number, signal: AbortSignal) => Promise<void>;

const realPause: Pause = async (milliseconds, signal) => {
  await sleep(milliseconds, undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
};

/** Milliseconds between two looks for a report, and their number: the peer answers at once, but the log passes through its node. */
const look = { pause: 500, atMost: 40 };
/** The pause before a building peer is asked again: every report takes some 100 kB of its log. */
const betweenQuestions = 5000; // milliseconds

/** A Pod that does not answer must not delay the others for longer. */
const patience = 60_000; // milliseconds

/** Undefined when the peer has no superseded package, or its facts are unknown. */
export function peerStart(
  name: string,
  facts: PeerFacts,
  process: PeerProcess,
  pause: Pause = realPause,
): PeerStart | undefined {
  if (!facts.known) return undefined;
  const superseded = [...facts.packages].flatMap(([id, { state }]) => (state === "superseded" ? [id] : []));
  if (superseded.length === 0) return undefined;
  let unshown: string | undefined;
  let built = false;
  return {
    peer: name,
    superseded: new Set(superseded),
    built: () => built,
    step: {
      id: `start/${name}`,
      title: `${name} is through with the packages that it found at its start`,
      after: [],
      // `observe` does everything: a report in the peer's log does not count as a change.
      async observe({ signal, progress }) {
        const building = () => {
          built = true;
          progress("it builds");
        };
        try {
          await whenThrough(process, { signal, pause, building });
          unshown = undefined;
          return { is: "so" };
        } catch (error) {
          if (signal.aborted || error instanceof LostConnection || !(error instanceof FabricError)) throw error;
          unshown = error.message;
          return { is: "so", detail: `not shown: ${error.message}` };
        }
      },
    },
    async doubt(signal) {
      if (unshown !== undefined) return unshown;
      try {
        if ((await process.states(signal)).includes("through")) return undefined;
        return "it was started again meanwhile, or its log was cut";
      } catch (error) {
        if (signal.aborted || !(error instanceof FabricError)) throw error;
        return error.message;
      }
    },
  };
}

interface Waiting {
  readonly signal: AbortSignal;
  readonly pause: Pause;
  readonly building: () => void;
}

/** Waits until the peer's custodian is through. Throws `not-ready` when its log shows no report, or the error of asking for one. */
async function whenThrough(process: PeerProcess, { signal, pause, building }: Waiting): Promise<void> {
  let known = await process.states(signal);
  while (!known.includes("through")) {
    if (known.length > 0) building();
    await process.askForReport(signal);
    known = await answer(process, known.length, pause, signal);
    if (!known.includes("through")) await pause(betweenQuestions, signal);
  }
}

async function answer(
  process: PeerProcess,
  before: number,
  pause: Pause,
  signal: AbortSignal,
): Promise<readonly CustodianState[]> {
  for (let looks = 1; looks <= look.atMost; looks++) {
    const states = await process.states(signal);
    if (states.length > before) return states;
    await pause(look.pause, signal);
  }
  throw new FabricError("not-ready", "its log shows no report of what its goroutines are at");
}

/**
 * Signals every `peer node start` in the container that handles SIGUSR1: the signal would end a process that does not. A Fabric peer
 * handles it once it logs that it has started (internal/peer/node/signals.go). SIGUSR1 is 10, so bit 9 of the mask in proc(5).
 */
export const reportScript = readFileSync(new URL("./ask-for-report.sh", import.meta.url), "utf8");

/** The process in a peer's Pod. Its log is the container's since the last start. */
export function peerProcess(cluster: Cluster, { namespace, pod, container = "" }: PeerPod): PeerProcess {
  const within = (signal: AbortSignal) => anySignal(signal, AbortSignal.timeout(patience));
  return {
    states: (signal) => custodianStates(logLines(cluster, { namespace, pod, container }, within(signal))),
    async askForReport(signal) {
      const target = { namespace, pod, container, command: ["sh", "-c", reportScript] };
      const { code, stderr } = await execCapture(cluster, target, { signal: within(signal) });
      if (code === 0) return;
      const said = stderr && `: ${stderr.trim()}`;
      throw new FabricError("not-found", `no peer in container ${container} takes SIGUSR1${said}`);
    },
  };
}

/** The start that the removal of an image has to wait for. */
export function startBefore(finding: Finding, starts: readonly PeerStart[]): PeerStart | undefined {
  const { kind, peer, packageId } = finding;
  if (kind !== "image" || packageId === undefined) return undefined;
  return starts.find((start) => start.peer === peer && start.superseded.has(packageId));
}
