import { shellWord } from "../../../core/chaincode/deployment/deploy-command.ts";
import type { Cleanup, Leftovers } from "../../../core/orphans/cleanup.ts";
import { findingKey, type Finding } from "../../../core/orphans/judgement/finding.ts";
import { startBefore, type PeerStart } from "../../../core/orphans/places/peer-start.ts";
import type { Survey } from "../../../core/orphans/survey.ts";
import type { Step } from "../../../core/engine/step.ts";
import { timeOf } from "../arguments.ts";
import type { Plan, PlansReport } from "../plan-run.ts";

/**
 * Removes what was found: the images that a peer would build again as soon as the peer is through with its start, all else at once.
 * Then what peers that were seen to build have built meanwhile, of which `looked` is told.
 */
export function cleanupPlans(opened: Cleanup, looked: (found: Leftovers) => void): readonly Plan[] {
  const { starts, steps, findings } = opened;
  const keyed = new Map(findings.map((finding) => [findingKey(finding), finding]));
  const afterStart = (step: Step): Step => {
    const finding = keyed.get(step.id);
    const start = finding && startBefore(finding, starts);
    return start ? { ...step, after: [...step.after, start.step] } : step;
  };
  const removal: Plan = {
    title: "cleanup",
    consent: true,
    steps: () => [...starts.map(({ step }) => step), ...steps.map(afterStart)],
  };
  if (starts.length === 0) return [removal];
  return [
    removal,
    {
      title: "cleanup of what was built meanwhile",
      scope: meanwhile,
      consent: true,
      async steps(signal) {
        if (!starts.some((start) => start.built())) return [];
        const found = await opened.again(signal);
        looked(found);
        return found.steps;
      },
    },
  ];
}

/** What is built again has the name of what was removed. */
const meanwhile = "meanwhile";

/** What was found at first and what came later, each thing once; all else as it was last. */
export function together(first: Survey, later: Survey): Survey {
  const known = new Set(first.findings.map(findingKey));
  const fresh = later.findings.filter((finding) => !known.has(findingKey(finding)));
  return { ...later, findings: [...first.findings, ...fresh] };
}

/** The options of a cleanup that decide what goes. */
export interface CleanupScope {
  /** Seconds. */
  readonly olderThan?: number | undefined;
  readonly org?: readonly string[];
  readonly peer?: readonly string[];
  readonly source?: readonly string[];
  readonly mspDir?: readonly string[];
  readonly gonePeer?: readonly string[];
  readonly nodeNamespace?: string;
  readonly nodeImage?: string;
  readonly nodeSocket?: string;
}

/** What to type to remove what was shown, and nothing else. */
export function removeCommand(scope: CleanupScope): string {
  const words: readonly (readonly [string, string | undefined])[] = [
    ["--older-than", scope.olderThan === undefined ? undefined : timeOf(scope.olderThan)],
    ["--org", scope.org?.join(",")],
    ["--peer", scope.peer?.join(",")],
    ["--source", scope.source?.join(",")],
    ...(scope.mspDir ?? []).map((told) => ["--msp-dir", told] as const),
    ["--gone-peer", scope.gonePeer?.join(",")],
    ["--node-namespace", scope.nodeNamespace],
    ["--node-image", scope.nodeImage],
    ["--node-socket", scope.nodeSocket],
  ];
  const given = words.flatMap(([option, value]) => (value === undefined ? [] : [`${option} ${shellWord(value)}`]));
  return ["kubectl fabric cleanup --yes", ...given].join(" ");
}

/** What to type to remove what came back. Without an age: what is built anew is young. */
export function againCommand(scope: CleanupScope): string {
  return removeCommand({ ...scope, olderThan: undefined });
}

/** A peer of which images were removed, and which may build them again. */
export interface Doubt {
  readonly peer: string;
  readonly because: string;
  /** What to type then. */
  readonly hint: string;
}

/** Asked at the end: only a process that still runs has shown what it does not do. */
export async function doubts(
  starts: readonly PeerStart[],
  removed: readonly Finding[],
  report: PlansReport,
  hint: string,
  signal: AbortSignal,
): Promise<readonly Doubt[]> {
  const changed = new Set(report.steps.flatMap(({ id, result }) => (result === "changed" ? [id] : [])));
  const isGone = (key: string) => changed.has(key) || changed.has(`${meanwhile}/${key}`);
  const gone = removed.filter((finding) => isGone(findingKey(finding)));
  const concerned = starts.filter((start) => gone.some((finding) => startBefore(finding, starts) === start));
  const found = await Promise.all(
    concerned.map(async (start) => ({ peer: start.peer, because: await start.doubt(signal), hint })),
  );
  return found.flatMap(({ because, ...doubt }) => (because === undefined ? [] : [{ ...doubt, because }]));
}

/** Whether another run may find more. Peers that nobody told us an identity of are not a failure: it is the default. */
export function isIncomplete(blind: Survey["blind"], mayComeBack: readonly Doubt[]): boolean {
  return mayComeBack.length > 0 || blind.some(({ code }) => code !== "not-found");
}
