import type { Step } from "./step.ts";

/** Who acts when, of the steps of a plan that interrupt what runs. */
export interface Turns {
  /** Resolves when it is this step's turn; with the title of one that failed in its turn, then nobody has one any more. */
  take(step: Step): Promise<string | undefined>;
  /** It does not act, or has acted, or acts without a turn. */
  leave(step: Step, failed: boolean): void;
}

interface Place {
  readonly step: Step;
  state: "waits" | "acts" | "left";
  left: PromiseWithResolvers<void>;
}

/**
 * In the order of the plan: each has to leave before the next has its turn, also one that never took its own. One that left and finds
 * that it needs a turn after all comes next when whoever acts has left.
 */
export function newTurns(steps: readonly Step[]): Turns {
  const places = steps
    .filter(({ takesTurns }) => takesTurns)
    .map((step): Place => ({ step, state: "waits", left: Promise.withResolvers() }));
  let failure: string | undefined;
  const placeOf = (step: Step) => places.find((place) => place.step === step);
  /** Whom it waits for: nobody any more when one has failed. */
  const nextBefore = (own: Place) => {
    if (failure !== undefined) return undefined;
    const others = places.filter((place) => place !== own);
    const isBefore = (place: Place) => places.indexOf(place) < places.indexOf(own);
    return others.find((place) => place.state === "acts" || (place.state === "waits" && isBefore(place)));
  };
  return {
    async take(step) {
      const own = placeOf(step);
      if (!own || own.state === "acts") return failure;
      if (own.state === "left") Object.assign(own, { state: "waits", left: Promise.withResolvers() });
      for (let before = nextBefore(own); before; before = nextBefore(own)) await before.left.promise;
      if (failure === undefined) own.state = "acts";
      return failure;
    },
    leave(step, failed) {
      const own = placeOf(step);
      if (!own) return;
      if (failed && own.state === "acts") failure = step.title;
      own.state = "left";
      own.left.resolve();
    },
  };
}
