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
 * A peer that has superseded packages. When it starts it builds each of them whose image is missing, so that what is removed before it
 * has come by is there again. It does not say when it is through; a report of its goroutines shows it.
 */
export interface PeerStart {
  readonly peer: string;
  /** What it would build again. */
  readonly superseded: ReadonlySet<string>;
  /** The peer is through with it, or nothing shows whether it is. Waits while it is seen to build. */
  readonly step: Step;
  /** Whether it was seen to build: what it built was not there to be found before. */
  built(): boolean;
  /** Why it may build something again; undefined when the process that runs now has shown that it does not. */
  doubt(signal: AbortSignal): Promise<string | undefined>;
}

/** What can be seen of a peer's process. */
export interface PeerProcess {
  /** What its log shows of its custodian, oldest first, from its start on. */
  states(signal: AbortSignal): Promise<readonly CustodianState[]>;
  /** Has it write what its goroutines are at. Throws why nothing can. */
  askForReport(signal: AbortSignal): Promise<void>;
}

/** Milliseconds; rejects with the signal's reason. */
export type Pause = (milliseconds: number, signal: AbortSignal) => Promise<void>;

const realPause: Pause = async (milliseconds, signal) => {
  await sleep(milliseconds, undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
};

/** Between two looks for an answer, and how many of them: a peer answers at once, but its log comes by way of its node. */
const look = { pause: 500, atMost: 40 };
/** Before a peer that builds is asked again: every answer is some 100 kB in its log. */
const betweenQuestions = 5000; // milliseconds

/** A Pod that does not answer must not hold up all the others. */
const patience = 60_000; // milliseconds

/** Undefined when the peer has nothing superseded, or nobody knows. */
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
      // All of it here: a report in the peer's log is no change, and does not count as one.
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

/** Until the peer shows that its custodian is through. Throws `not-ready` when it shows nothing, or what keeps it from being asked. */
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
 * Signals every `peer node start` that the container sees and that handles SIGUSR1: another process would end of it. A Fabric peer
 * does from the moment it says that it has started (internal/peer/node/signals.go). SIGUSR1 is 10, so bit 9 of the mask in proc(5).
 */
export const reportScript = readFileSync(new URL("./ask-for-report.sh", import.meta.url), "utf8");

/** The process in a peer's Pod: its log is that of its container since that was started last. */
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
