/** What a step sees when it looks: nothing to do, or what acting would change. */
export type Observation =
  { readonly done: true; readonly detail?: string } | { readonly done: false; readonly change?: string };

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
 * One node of a plan: something that is so or not, and how to make it so.
 * A step is looked at only when all it comes after is so; it acts only when it is not so itself.
 * Acting twice must be as good as acting once: a killed run is simply run again.
 */
export interface Step {
  /** Unique within the plan, shaped like a path: "org1/peer0/joined/mychannel". */
  readonly id: string;
  /** For people: "peer0.org1 joins mychannel". */
  readonly title: string;
  /** Ids of the steps that have to be so before. */
  readonly after: readonly string[];
  /** Whether it goes on although one that it comes after has ended by this failure, its own or that of one before it. None unless told. */
  readonly despite?: (failure: unknown) => boolean;
  observe(context: StepContext): Promise<Observation>;
  /** Makes it so; tells, if there is anything to tell, what came out. */
  act(context: StepContext): Promise<string | void>;
}
