import type { Step } from "./step.ts";

/** Who acts when, of the steps of a plan that interrupt what runs. */
export interface Turns {
  /** Resolves when it is this step's turn; with the title of one before it that failed in its turn, then nobody has one any more. */
  take(step: Step): Promise<string | undefined>;
  /** It does not act, or has acted. */
  leave(step: Step, failed: boolean): void;
}

/** In the order of the plan: each has to leave before the next has its turn, also one that never took its own. */
export function newTurns(steps: readonly Step[]): Turns {
  const places = steps
    .filter(({ takesTurns }) => takesTurns)
    .map((step) => ({ step, taken: false, left: Promise.withResolvers<string | undefined>() }));
  const placeOf = (step: Step) => places.find((place) => place.step === step);
  return {
    async take(step) {
      const own = placeOf(step);
      for (const place of places) {
        if (place === own) break;
        const failed = await place.left.promise;
        if (failed !== undefined) return failed;
      }
      if (own) own.taken = true;
      return undefined;
    },
    leave(step, failed) {
      const own = placeOf(step);
      own?.left.resolve(failed && own.taken ? step.title : undefined);
    },
  };
}
