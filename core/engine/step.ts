import type { ErrorCode, FabricError } from "../error.ts";

/** What a step sees when it looks. */
export type Observation =
  /** It is as wanted. */
  | {
      readonly is: "so";
      readonly detail?: string | undefined;
      /** Somebody else has made it so meanwhile, whatever this step has done. */
      readonly byOthers?: boolean | undefined;
    }
  | Differs
  | Waiting
  | Requirement;

/** It is not as wanted, and acting changes that. */
export interface Differs {
  readonly is: "differs";
  readonly change?: string | undefined;
  /** Acting interrupts what runs, a node for example: only of a step with a `lane`. */
  readonly interrupts?: boolean;
  /** What it makes is there and only differs, so that a dry run can look at what comes after it all the same. */
  readonly isThere?: boolean;
}

/** It is not as wanted yet, and nothing has to be done for it but to wait. */
export interface Waiting {
  readonly is: "waiting";
  /** What is missing, as a sentence for people: "peer0.org1 has not yet received the definition". */
  readonly missing: string;
  /** What it will change when that has come; nothing unless told. */
  readonly change?: string | undefined;
  /** Something has come between while the step looked or acted: that it is over is no change, and a dry run waits for it, too. */
  readonly isDisturbance?: true;
  /** What to look at or to type when it does not come. */
  readonly hint?: FabricError["hint"];
  /**
   * Watches until it is worth looking again, and tells what it sees; throws when it cannot come any more, and why. Without it the step is
   * looked at again after a pause, which grows: for what nobody can watch.
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

/** Failures of acting that may pass by themselves: the step is looked at again after a pause, and acts again if it has to. */
export interface Patience {
  readonly with: readonly ErrorCode[];
  /** Milliseconds from the first such failure in a row; as long as the whole run may take unless told. */
  readonly within?: number | undefined;
}

/** What acting has come to: what was done, in a few words; that it was so already, where only acting can tell; or what it waits for now. */
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
   * The name of what takes one step at a time. Where looking shows that acting `interrupts` what runs, the step acts one at a time with
   * others of its lane that do, in the order of the plan, and not at all after one that failed. Its turn lasts until it is so.
   */
  readonly lane?: string | undefined;
  /** Acting changes nothing, it makes sure of something. In a dry run it does not act, and what comes after it is looked at all the same. */
  readonly isCheck?: true | undefined;
  /** Acting removes something that nobody can bring back: it acts only where whoever runs the plan consents. */
  readonly removes?: true | undefined;
  /** In a dry run it is looked at even where one that it comes after would change something: nothing of that is needed to look. */
  readonly looksAhead?: true | undefined;
  /** Whether it goes on although one that it comes after has ended by this failure, its own or that of one before it. None unless told. */
  readonly despite?: ((failure: unknown) => boolean) | undefined;
  readonly patience?: Patience | undefined;
  /** Reads, and reads only: it is all that a dry run does. */
  readonly observe: (context: StepContext) => Promise<Observation>;
  /** Makes it so, and waits for nothing that it did not ask for itself. A step that is never said to differ has none. */
  readonly act?: ((context: StepContext) => Promise<Acted>) | undefined;
  /**
   * Once it is so: further steps of the graph, which could not be known before. Reads only. What comes after this step comes after them,
   * too. Such a step is a heading for those that it brings.
   */
  readonly expand?: ((context: StepContext) => Promise<readonly Step[]>) | undefined;
}

/** A step that may have to act. */
export type ActingStep = Step & { readonly act: NonNullable<Step["act"]> };
