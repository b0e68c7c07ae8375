import type { Cleanup, Leftovers } from "../../../core/orphans/cleanup.ts";
import { findingKey, type Finding } from "../../../core/orphans/judgement/finding.ts";
import { startBefore, type PeerStart } from "../../../core/orphans/places/peer-start.ts";
import type { Survey } from "../../../core/orphans/survey.ts";
import type { Step } from "../../../core/engine/step.ts";
import type { Operation } from "../../../core/remedy.ts";
import { timeOf } from "../arguments.ts";
import type { Plan, PlansReport } from "../plan-run.ts";

/**
 * Removes what was found: images that a starting peer would build again only after that peer is through with its start, all else at once.
 * A second plan removes what such peers were seen to build meanwhile, and calls `looked` with it.
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

/** A scope for ids: an image that was built again has the name of the one that was removed. */
const meanwhile = "meanwhile";

/** The findings of both surveys, each thing once; everything else as the later survey has it. */
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
  readonly tlsCaFile?: readonly string[];
  readonly keyPassphraseFile?: readonly string[];
  readonly gonePeer?: readonly string[];
  readonly nodeNamespace?: string;
  readonly nodeImage?: string;
  readonly nodeSocket?: string;
}

/** The operation that removes what was shown, and nothing else. */
export function removeOperation(scope: CleanupScope): Operation {
  return {
    operation: "cleanup",
    with: {
      yes: true,
      olderThan: scope.olderThan === undefined ? undefined : timeOf(scope.olderThan),
      organizations: scope.org,
      peers: scope.peer,
      sources: scope.source,
      identities: scope.mspDir,
      tlsAuthorities: scope.tlsCaFile,
      keyPassphrases: scope.keyPassphraseFile,
      gonePeers: scope.gonePeer,
      nodeNamespace: scope.nodeNamespace,
      nodeImage: scope.nodeImage,
      nodeSocket: scope.nodeSocket,
    },
  };
}

/** The operation that removes what was built again. Without an age: such an image is young. */
export function againOperation(scope: CleanupScope): Operation {
  return removeOperation({ ...scope, olderThan: undefined });
}

/** A peer of which images were removed, and which may build them again. */
export interface Doubt {
  readonly peer: string;
  readonly because: string;
  /** What to type then. */
  readonly hint: string;
}

/**
 * Peers that may build again what was removed. Asked at the end: only a process that still runs then is known to be through with its start.
 */
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

/** Whether another run may find more. A peer for which no identity was given (`not-found`) does not count: that is the default. */
export function isIncomplete(blind: Survey["blind"], mayComeBack: readonly Doubt[]): boolean {
  return mayComeBack.length > 0 || blind.some(({ code }) => code !== "not-found");
}
