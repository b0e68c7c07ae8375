import { FabricError } from "../error.ts";
import type { Step } from "./step.ts";

/** The steps of a run: those of the plan, and those that headings have brought. */
export interface Graph {
  /** In the order of the plan; the steps that a heading has brought follow it. */
  readonly steps: () => readonly Step[];
  /** The steps that a heading has brought, and those that these have brought. */
  readonly broughtBy: (step: Step) => readonly Step[];
  /**
   * Throws `internal` when ids are not unique, a step comes after one that is not there, or steps wait for each other's turn for ever: then
   * it brings nothing.
   */
  readonly bring: (by: Step, steps: readonly Step[]) => void;
}

/** Throws as `bring` does. */
export function newGraph(plan: readonly Step[]): Graph {
  const brought = new Map<Step, readonly Step[]>();
  const broughtBy = (step: Step): readonly Step[] => (brought.get(step) ?? []).flatMap(withBrought);
  const withBrought = (step: Step): readonly Step[] => [step, ...broughtBy(step)];
  const steps = () => plan.flatMap(withBrought);
  let known = plan;
  check(known, broughtBy);
  return {
    steps,
    broughtBy,
    bring(by, further) {
      const all = [...known, ...further];
      brought.set(by, further);
      try {
        check(all, broughtBy);
      } catch (error) {
        brought.delete(by);
        throw error;
      }
      known = all;
    },
  };
}

/** Steps in the order in which they came: it is that of their turns. */
function check(steps: readonly Step[], broughtBy: (step: Step) => readonly Step[]): void {
  const known = new Set(steps);
  const ids = steps.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) throw new FabricError("internal", `expected unique step ids, found ${twice} twice`);
  for (const step of steps) {
    const missing = step.after.find((before) => !known.has(before));
    if (missing)
      throw new FabricError("internal", `step ${step.id} comes after ${missing.id}, which is not in the plan`);
  }
  const lanes = Map.groupBy(
    steps.filter(({ lane }) => lane !== undefined),
    ({ lane }) => lane,
  );
  /** The steps of the same lane whose turns come before this step's turn. */
  const turnsBefore = (step: Step): readonly Step[] => {
    const lane = step.lane === undefined ? [] : (lanes.get(step.lane) ?? []);
    return lane.slice(0, lane.indexOf(step));
  };
  const state = new Map<Step, "open" | "closed">();
  const visit = (step: Step, path: readonly string[]) => {
    if (state.get(step) === "closed") return;
    const here = [...path, step.id];
    if (state.get(step) === "open")
      throw new FabricError("internal", `steps wait for each other: ${here.join(" -> ")}`);
    state.set(step, "open");
    const after = step.after.flatMap((before) => [before, ...broughtBy(before)]);
    for (const before of [...after, ...turnsBefore(step)]) visit(before, here);
    state.set(step, "closed");
  };
  for (const step of steps) visit(step, []);
}
