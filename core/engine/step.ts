/** What a step sees when it looks: it is so, or it differs from what is wanted, and what acting would change. */
export type Observation =
  | { readonly is: "so"; readonly detail?: string }
  | {
      readonly is: "differs";
      readonly change?: string;
      /** Acting interrupts what runs, a node for example: only of a step with `takesTurns`. */
      readonly inTurn?: boolean;
      /** What it makes is there and only differs, so that a dry run can look at what comes after it all the same. */
      readonly isThere?: boolean;
    };

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
  /**
   * Where looking shows that acting interrupts what runs, it acts one at a time with others that do, in the order of the plan,
   * and not at all after one that failed. None may come after such a step that is behind it in the plan: `checkPlan` refuses it.
   */
  readonly takesTurns?: true;
  /** Acting changes nothing, it makes sure of something. In a dry run it does not act, and what comes after it is looked at all the same. */
  readonly isCheck?: true;
  /** Whether it goes on although one that it comes after has ended by this failure, its own or that of one before it. None unless told. */
  readonly despite?: (failure: unknown) => boolean;
  /** Reads, and reads only: it is all that a dry run does. */
  observe(context: StepContext): Promise<Observation>;
  /** Makes it so; tells, if there is anything to tell, what came out. */
  act(context: StepContext): Promise<string | void | Unchanged>;
}

/** What acting comes to where only acting can find out that it was so already. */
interface Unchanged {
  readonly unchanged: string;
}
