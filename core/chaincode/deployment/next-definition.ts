import type { ChaincodeDefinition } from "../../fabric/chaincode/chaincode-definition.ts";

/** What the user asks for: a definition whose version and sequence may be open. */
export interface WantedDefinition extends Omit<ChaincodeDefinition, "version" | "sequence"> {
  /** Chosen by the user; else the sequence that brought the package. */
  readonly version?: string | undefined;
}

/** What one organization has approved at the committed sequence, and is to run. */
export interface PackageChange {
  readonly organization: string;
  /** Undefined: approved without a package, or not at all. */
  readonly approved: string | undefined;
  readonly wanted: string;
}

/**
 * The definition that makes the channel run the wanted packages under the wanted terms: the committed one when nothing
 * has to change, else its successor. The package is no part of a definition (each organization approves its own), so a
 * new package asks for a new sequence as soon as one organization runs another; one that has approved none can still
 * approve at the committed sequence. Other terms for the same package keep its version: what is initialized stays so.
 */
export function nextDefinition(
  wanted: WantedDefinition,
  committed: ChaincodeDefinition | undefined,
  packages: readonly PackageChange[],
): ChaincodeDefinition {
  if (!committed) return definitionAt(wanted, 1, "1");
  const otherPackage = packages.some((change) => change.approved !== undefined && change.approved !== change.wanted);
  if (otherPackage) return withNewPackage(wanted, committed);
  const same = definitionAt(wanted, committed.sequence, committed.version);
  return agree(same, committed) ? same : definitionAt(wanted, committed.sequence + 1, committed.version);
}

/** The next definition when an organization has a new package, under the wanted terms. */
export function withNewPackage(
  wanted: WantedDefinition,
  { sequence }: Pick<ChaincodeDefinition, "sequence">,
): ChaincodeDefinition {
  return definitionAt(wanted, sequence + 1, String(sequence + 1));
}

function definitionAt(wanted: WantedDefinition, sequence: number, version: string): ChaincodeDefinition {
  const { name, endorsementPolicy, collections, initRequired } = wanted;
  return { name, version: wanted.version ?? version, sequence, endorsementPolicy, collections, initRequired };
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

/** "asset 1.0, sequence 2" */
export const described = ({ name, version, sequence }: ChaincodeDefinition): string =>
  `${name} ${version}, sequence ${sequence}`;
