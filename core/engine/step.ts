import type { ErrorCode, FabricError } from "../error.ts";

/** What a step sees when it looks. */
export type Observation =
  /** It is as wanted. */
  | {
      readonly is: "so";
      readonly detail?: string | undefined;
      /** Somebody else has made it so: it counts as unchanged, even if this step has acted. */
      readonly byOthers?: boolean | undefined;
    }
  | Differs
  | Waiting
  | Requirement;

/** It is not as wanted, and acting changes that. */
export interface Differs {
  readonly is: "differs";
  readonly change?: string | undefined;
  /** Acting interrupts something that runs, a node for example. Only for a step with a `lane`. */
  readonly interrupts?: boolean;
  /** The thing exists and only differs: a dry run looks at the steps after it all the same. */
  readonly isThere?: boolean;
}

/** It is not as wanted yet, and nothing has to be done for it but to wait. */
export interface Waiting {
  readonly is: "waiting";
  /** What is missing, as a sentence for people: "peer0.org1 has not yet received the definition". */
  readonly missing: string;
  /** For a dry run: what will have changed after the wait; `missing` unless given. */
  readonly change?: string | undefined;
  /** Something has come between while the step looked or acted: that it is over is no change, and a dry run waits for it, too. */
  readonly isDisturbance?: true;
  /** What to look at or to type when it does not come. */
  readonly hint?: FabricError["hint"];
  /**
   * Watches, reports progress, and resolves when it is worth looking again. Throws the reason when what is missing can never come. Without
   * `until` the step is looked at again after growing pauses: for what nobody can watch.
   */
  readonly until?: ((context: StepContext) => Promise<unknown>) | undefined;
}

/** Somebody else has to act before this step can go on. */
export interface Requirement {
  readonly is: "required";
  /** Who: "a cluster administrator", "the administrator of org2". */
  readonly of: string;
  /** What is missing, and as its hint what they have to type. */
  readonly failure: FabricError;
}

/** What a running step may use. */
export interface StepContext {
  /** Aborted by Ctrl-C and by the deadline of the whole run. */
  readonly signal: AbortSignal;
  /** Tells the user what the step is at, in a few words ("2 of 3 Pods ready"). */
  readonly progress: (text: string) => void;
  /** Tells that the step begins anew by itself, and why. */
  readonly again?: (because: string) => void;
}

/**
 * Failures, while acting or after it, that may pass by themselves: the step is looked at again after a pause, and acts again if it has to.
 */
export interface Patience {
  readonly with: readonly ErrorCode[];
  /** Milliseconds from the first such failure in a row; as long as the whole run may take unless told. */
  readonly within?: number | undefined;
}

/**
 * The result of acting: what was done, in a few words; `unchanged`, when it was so already and only acting could tell; or what the step
 * waits for now.
 */
export type Acted = string | void | { readonly unchanged: string } | Waiting;

/**
 * One node of a graph: something that is so or not, and how to make it so.
 * A step is looked at only when all it comes after is so; it acts only when it is not so itself.
 * Acting twice must be as good as acting once: a killed run is simply run again.
 */
export interface Step {
  /** Unique within the graph, shaped like a path: "org1/peer0". */
  readonly id: string;
  /** For people: "peer0.org1 joins mychannel". */
  readonly title: string;
  /** Steps of the same graph that have to be so before. */
  readonly after: readonly Step[];
  /**
   * Steps of the same lane that interrupt what runs (`interrupts`) act one at a time, in the order of the plan. A turn lasts until its step
   * is so. After a step that failed in its turn no further one gets a turn.
   */
  readonly lane?: string | undefined;
  /** Acting changes nothing, it makes sure of something. In a dry run it does not act, and what comes after it is looked at all the same. */
  readonly isCheck?: true | undefined;
  /** Acting removes something that nobody can bring back: it acts only in a run with `consent`. */
  readonly removes?: true | undefined;
  /** In a dry run the step is looked at even when a step before it would change something: the look needs nothing of that. */
  readonly looksAhead?: true | undefined;
  /**
   * Whether the step goes on although a step before it is not so. Gets that step's failure, or the failure for which that step was skipped;
   * undefined where there is none. False unless given.
   */
  readonly despite?: ((failure: unknown) => boolean) | undefined;
  readonly patience?: Patience | undefined;
  /** Reads, and reads only: it is all that a dry run does. */
  readonly observe: (context: StepContext) => Promise<Observation>;
  /** Makes it so. Awaits only its own requests: for effects it returns `Waiting`. Absent in a step whose `observe` never says `differs`. */
  readonly act?: ((context: StepContext) => Promise<Acted>) | undefined;
  /**
   * Further steps, which are known only once this step is so. Only reads. The steps after this one come after these, too. A step with
   * `expand` is a heading for the steps that it brings.
   */
  readonly expand?: ((context: StepContext) => Promise<readonly Step[]>) | undefined;
}

/** A step that may have to act. */
export type ActingStep = Step & { readonly act: NonNullable<Step["act"]> };
