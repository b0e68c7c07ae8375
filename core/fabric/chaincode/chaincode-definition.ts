import { FabricError } from "../../error.ts";
import { defaultEndorsementPolicy, parseEndorsementPolicy } from "../policy/endorsement-policy.ts";

/** What the organizations of a channel agree on for a chaincode (fabric-protos, peer/lifecycle/lifecycle.proto). */
export interface ChaincodeDefinition {
  readonly name: string;
  readonly version: string;
  /** From 1; one more at every change. */
  readonly sequence: number;
  /** Serialized ApplicationPolicy. */
  readonly endorsementPolicy: Uint8Array;
  /** Serialized CollectionConfigPackage; empty when there is none. */
  readonly collections: Uint8Array;
  /** The chaincode is called once with Init before all else. */
  readonly initRequired: boolean;
}

/** The policy that Fabric sets when none is given: a committed definition contains it. */
export function defaultEndorsementPolicyBytes(): Uint8Array {
  return parseEndorsementPolicy(defaultEndorsementPolicy).serializeBinary();
}

/** core/chaincode/lifecycle/scc.go, systemChaincodeNames; _lifecycle does not even match the pattern. */
const systemChaincodes: ReadonlySet<string> = new Set(["cscc", "escc", "lscc", "qscc", "vscc"]);

/** Throws `usage` unless Fabric accepts the name (core/chaincode/lifecycle/scc.go, ChaincodeNameRegExp). */
export function checkChaincodeName(name: string): void {
  if (systemChaincodes.has(name)) {
    throw new FabricError(
      "usage",
      `expected a chaincode name of your own, found "${name}", a system chaincode of Fabric`,
    );
  }
  if (/^[a-zA-Z0-9]+([-_][a-zA-Z0-9]+)*$/.test(name)) return;
  throw new FabricError("usage", `expected a chaincode name, found "${name}"`, {
    hint: 'a chaincode name has letters and digits, with single "-" or "_" between them: asset-transfer',
  });
}

/** Throws `usage` unless Fabric accepts the version (core/chaincode/lifecycle/scc.go, ChaincodeVersionRegExp). */
export function checkChaincodeVersion(version: string): void {
  if (/^[A-Za-z0-9_.+-]+$/.test(version)) return;
  throw new FabricError("usage", `expected a chaincode version, found "${version}"`, {
    hint: 'a version has letters, digits and "_.+-": 1.0',
  });
}
