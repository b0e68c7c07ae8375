import type { Step } from "./step.ts";

/** The turns of steps that interrupt what runs: of each lane one step at a time. */
export interface Lanes {
  /** Steps that have come into the graph. */
  add(steps: readonly Step[]): void;
  /** Resolves when it is this step's turn, or when no step of the lane gets a turn any more. */
  take(step: Step): Promise<Turn>;
  /** A step with a lane acts without a turn. */
  pass(step: Step): void;
  /** A step has ended. */
  ended(step: Step, how: Ending): void;
}

/** `waiting`: the step is not so yet, and this is the only round. */
export type Ending = "done" | "failed" | "waiting";

type Turn =
  /** `waited`: the step waited for its turn, so what it saw before may no longer be so. */
  | { readonly is: "given"; readonly waited: boolean }
  /** The step `by` has failed in its turn, or in the only round it still waits in its turn. */
  | { readonly is: "refused"; readonly by: Step; readonly how: "failed" | "waiting" };

interface Place {
  readonly step: Step;
  state: "waits" | "acts" | "left";
  left: PromiseWithResolvers<void>;
}

interface Lane {
  readonly places: Place[];
  refusal?: Extract<Turn, { readonly is: "refused" }>;
}

/**
 * Turns go in the order of the plan. A step has its turn when each earlier step of the lane has left: it has ended, or it acts without a
 * turn. A step that has left and needs a turn after all comes next, when the acting step has left.
 */
export function newLanes(signal: AbortSignal): Lanes {
  const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  const lanes = new Map<string, Lane>();
  const placeOf = (step: Step): { readonly lane: Lane; readonly place: Place } | undefined => {
    const lane = step.lane === undefined ? undefined : lanes.get(step.lane);
    const place = lane?.places.find((each) => each.step === step);
    return lane && place ? { lane, place } : undefined;
  };
  const leave = (lane: Lane, place: Place, how: Ending) => {
    // One that waits may have acted in a round before.
    if (how === "waiting" || (how === "failed" && place.state === "acts"))
      lane.refusal ??= { is: "refused", by: place.step, how };
    place.state = "left";
    place.left.resolve();
  };
  /** The place that has to be left first; undefined also when the lane refuses all further turns. */
  const nextBefore = ({ places, refusal }: Lane, own: Place) => {
    if (refusal) return undefined;
    const others = places.filter((place) => place !== own);
    const isBefore = (place: Place) => places.indexOf(place) < places.indexOf(own);
    return others.find((place) => place.state === "acts" || (place.state === "waits" && isBefore(place)));
  };
  return {
    add(steps) {
      for (const step of steps) {
        if (step.lane === undefined) continue;
        const lane = lanes.get(step.lane) ?? { places: [] };
        lanes.set(step.lane, lane);
        lane.places.push({ step, state: "waits", left: Promise.withResolvers() });
      }
    },
    async take(step) {
      const found = placeOf(step);
      if (!found) return { is: "given", waited: false };
      const { lane, place } = found;
      if (place.state === "left") Object.assign(place, { state: "waits", left: Promise.withResolvers() });
      let waited = false;
      if (place.state === "waits") {
        for (let before = nextBefore(lane, place); before && !signal.aborted; before = nextBefore(lane, place)) {
          waited = true;
          await Promise.race([before.left.promise, aborted]);
        }
        if (signal.aborted) return { is: "given", waited };
      }
      if (lane.refusal) return lane.refusal;
      place.state = "acts";
      return { is: "given", waited };
    },
    pass(step) {
      const found = placeOf(step);
      if (found && found.place.state !== "acts") leave(found.lane, found.place, "done");
    },
    ended(step, how) {
      const found = placeOf(step);
      if (found) leave(found.lane, found.place, how);
    },
  };
}
