import type { Finding, Source } from "../judgement/finding.ts";
import type { AgeLimit } from "../judgement/judgement.ts";

/** One daemon or one namespace, which is looked at and cleaned up by itself. */
export interface Place {
  readonly source: Source;
  /** For people: "org1/peer0-0", "node worker-1", "namespace org1". */
  readonly name: string;
  /** All things of chaincode in this place, judged by the present facts. */
  look(age: AgeLimit, signal: AbortSignal): Promise<readonly Finding[]>;
  /**
   * Removes one thing, but no later one of the same name; false when it was gone already.
   * Throws `conflict` when something uses the thing by now.
   */
  remove(finding: Finding, age: AgeLimit, signal: AbortSignal): Promise<boolean>;
}
