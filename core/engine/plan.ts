import { FabricError } from "../error.ts";
import type { Step } from "./step.ts";

/**
 * Throws `internal` when ids are not unique, a step comes after one that is not there, or steps wait for each other, be it for their turn:
 * that would be for ever.
 */
export function checkPlan(steps: readonly Step[]): void {
  const byId = new Map(steps.map((step) => [step.id, step]));
  if (byId.size !== steps.length) {
    throw new FabricError("internal", `expected unique step ids, got ${steps.map(({ id }) => id).join(", ")}`);
  }
  const turns = steps.filter(({ takesTurns }) => takesTurns);
  const turnBefore = (step: Step): readonly string[] =>
    step.takesTurns ? turns.slice(0, turns.indexOf(step)).map(({ id }) => id) : [];
  const state = new Map<string, "open" | "closed">();
  const visit = (step: Step, path: readonly string[]) => {
    if (state.get(step.id) === "closed") return;
    if (state.get(step.id) === "open")
      throw new FabricError("internal", `steps wait for each other: ${[...path, step.id].join(" -> ")}`);
    state.set(step.id, "open");
    for (const id of [...step.after, ...turnBefore(step)]) {
      const before = byId.get(id);
      if (!before) throw new FabricError("internal", `step ${step.id} comes after ${id}, which is not in the plan`);
      visit(before, [...path, step.id]);
    }
    state.set(step.id, "closed");
  };
  for (const step of steps) visit(step, []);
}
