import type { Finding, Source } from "../judgement/finding.ts";
import type { AgeLimit } from "../judgement/judgement.ts";

/** One daemon, or one namespace: what can be looked at, and tidied, by itself. */
export interface Place {
  readonly source: Source;
  /** For people: "org1/peer0-0", "node worker-1", "namespace org1". */
  readonly name: string;
  /** All that is there and has to do with chaincode, judged by the facts of now. */
  look(age: AgeLimit, signal: AbortSignal): Promise<readonly Finding[]>;
  /**
   * Removes one thing, and nothing that took its name since; false when it was gone already.
   * Throws `conflict` when something uses it after all.
   */
  remove(finding: Finding, age: AgeLimit, signal: AbortSignal): Promise<boolean>;
}
