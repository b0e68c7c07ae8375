import type { ChaincodeDefinition } from "../fabric/chaincode-definition.ts";

/** What the user asks for: a definition whose version and sequence may be open. */
export interface WantedDefinition extends Omit<ChaincodeDefinition, "version" | "sequence"> {
  /** Chosen by the user; else the sequence. */
  readonly version?: string | undefined;
}

/** What one organization has approved at the committed sequence. */
export interface Approval {
  readonly organization: string;
  /** Undefined: approved without a package, or not at all. */
  readonly packageId: string | undefined;
  /** What it is to run. */
  readonly wantedPackageId: string;
}

/**
 * The definition that makes the channel run `packageId` under the wanted terms: the committed one when nothing has to
 * change, else its successor. The package is no part of a definition (each organization approves its own), so a new
 * package asks for a new sequence as soon as one organization runs another; one that has approved none can still
 * approve at the committed sequence.
 */
export function nextDefinition(
  wanted: WantedDefinition,
  committed: ChaincodeDefinition | undefined,
  approvals: readonly Approval[],
): ChaincodeDefinition {
  const { name, endorsementPolicy, collections, initRequired } = wanted;
  const at = (sequence: number): ChaincodeDefinition => ({
    name,
    version: wanted.version ?? String(sequence),
    sequence,
    endorsementPolicy,
    collections,
    initRequired,
  });
  if (!committed) return at(1);
  const otherPackage = approvals.some(
    ({ packageId, wantedPackageId }) => packageId !== undefined && packageId !== wantedPackageId,
  );
  const same = { ...at(committed.sequence), version: wanted.version ?? committed.version };
  return !otherPackage && agree(same, committed) ? same : at(committed.sequence + 1);
}

/** Whether two definitions are the same to the organizations of a channel. */
export function agree(left: ChaincodeDefinition, right: ChaincodeDefinition): boolean {
  return (
    left.name === right.name &&
    left.version === right.version &&
    left.sequence === right.sequence &&
    left.initRequired === right.initRequired &&
    Buffer.compare(left.endorsementPolicy, right.endorsementPolicy) === 0 &&
    Buffer.compare(left.collections, right.collections) === 0
  );
}
