import type { Step } from "./step.ts";

/** Who acts when, of the steps of each lane that interrupt what runs. */
export interface Lanes {
  /** Steps that have come into the graph. */
  add(steps: readonly Step[]): void;
  /** Resolves when it is this step's turn, or nobody's any more. */
  take(step: Step): Promise<Turn>;
  /** A step with a lane acts without a turn. */
  pass(step: Step): void;
  /** A step has ended. */
  ended(step: Step, how: Ending): void;
}

/** `waiting`: not in this round. */
export type Ending = "done" | "failed" | "waiting";

type Turn =
  /** `waited`: what the step saw before may no longer be so. */
  | { readonly is: "given"; readonly waited: boolean }
  /** A step of the lane has failed in its turn, or waits in it, and this is the only round. */
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
 * In the order of the plan: each has to leave before the next has its turn, also one that never took its own. One that left and finds
 * that it needs a turn after all comes next when whoever acts has left.
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
    if (how !== "done" && place.state === "acts") lane.refusal ??= { is: "refused", by: place.step, how };
    place.state = "left";
    place.left.resolve();
  };
  /** Whom it waits for: nobody any more when one has failed. */
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
