import { peer } from "@hyperledger/fabric-protos";
import {
  readBytes,
  readMetadata,
  readNumber,
  readText,
  type LifecycleRecord,
  type LifecycleState,
} from "./serializer.ts";

export const lifecycleNamespace = "_lifecycle";
export const namespaces = "namespaces";
export const chaincodeSources = "chaincode-sources";

/** What organizations agree on about a chaincode; the parts of the record in state (core/chaincode/lifecycle/lifecycle.go). */
export interface Definition {
  readonly sequence: number;
  readonly endorsement: peer.lifecycle.ChaincodeEndorsementInfo;
  readonly validation: peer.lifecycle.ChaincodeValidationInfo;
  readonly collections: peer.CollectionConfigPackage;
}

/** The arguments of approve, readiness and commit have these in common. */
interface DefinitionArguments {
  getSequence(): number;
  getVersion(): string;
  getEndorsementPlugin(): string;
  getValidationPlugin(): string;
  getValidationParameter_asU8(): Uint8Array;
  getInitRequired(): boolean;
  getCollections(): peer.CollectionConfigPackage | undefined;
}

/** `defaultPolicy` stands in for an endorsement policy that is not given. */
export function definitionFromArguments(args: DefinitionArguments, defaultPolicy: () => Uint8Array): Definition {
  const endorsement = new peer.lifecycle.ChaincodeEndorsementInfo();
  endorsement.setVersion(args.getVersion());
  endorsement.setEndorsementPlugin(args.getEndorsementPlugin() || "escc");
  endorsement.setInitRequired(args.getInitRequired());
  const validation = new peer.lifecycle.ChaincodeValidationInfo();
  validation.setValidationPlugin(args.getValidationPlugin() || "vscc");
  const given = args.getValidationParameter_asU8();
  validation.setValidationParameter(given.length === 0 ? defaultPolicy() : given);
  return {
    sequence: args.getSequence(),
    endorsement,
    validation,
    collections: args.getCollections() ?? new peer.CollectionConfigPackage(),
  };
}

/** What an organization approves: the definition without its sequence, which is in the record's name. */
export function parametersRecord(definition: Definition): LifecycleRecord {
  return { type: "ChaincodeParameters", fields: parameterFields(definition) };
}

export function definitionRecord(definition: Definition): LifecycleRecord {
  return { type: "ChaincodeDefinition", fields: [["Sequence", definition.sequence], ...parameterFields(definition)] };
}

export function localPackageRecord(packageId: string): LifecycleRecord {
  return { type: "ChaincodeLocalPackage", fields: [["PackageID", packageId]] };
}

export function privateName(name: string, sequence: number): string {
  return `${name}#${sequence}`;
}

export function readSequence(name: string, state: LifecycleState): number {
  return readNumber(namespaces, name, "Sequence", state);
}

/** The committed definition, if the name is defined. */
export function readDefinition(name: string, state: LifecycleState): Definition | undefined {
  const metadata = readMetadata(namespaces, name, state);
  if (metadata === undefined) {
    return undefined;
  }
  return readParameters(name, readSequence(name, state), state);
}

/** What the organization whose private state it is has approved, if anything. */
export function readApproval(name: string, sequence: number, state: LifecycleState): Definition | undefined {
  const recordName = privateName(name, sequence);
  return readMetadata(namespaces, recordName, state) && readParameters(recordName, sequence, state);
}

/** Package ID named in an approval; empty when it named none, undefined when there is no approval. */
export function readPackageId(name: string, sequence: number, state: LifecycleState): string | undefined {
  const recordName = privateName(name, sequence);
  return (
    readMetadata(chaincodeSources, recordName, state) && readText(chaincodeSources, recordName, "PackageID", state)
  );
}

/** What two definitions differ in first, in Fabric's words (ChaincodeParameters.Equal), or undefined. */
export function differenceOf(expected: Definition, passed: Definition): string | undefined {
  const words = (name: string, one: unknown, other: unknown): string =>
    `expected ${name} '${String(one)}' does not match passed ${name} '${String(other)}'`;
  const pairs: readonly (readonly [string, string | boolean, string | boolean])[] = [
    ["Version", expected.endorsement.getVersion(), passed.endorsement.getVersion()],
    ["EndorsementPlugin", expected.endorsement.getEndorsementPlugin(), passed.endorsement.getEndorsementPlugin()],
    ["InitRequired", expected.endorsement.getInitRequired(), passed.endorsement.getInitRequired()],
    ["ValidationPlugin", expected.validation.getValidationPlugin(), passed.validation.getValidationPlugin()],
    ["ValidationParameter", parameterHex(expected), parameterHex(passed)],
  ];
  const different = pairs.find(([, one, other]) => one !== other);
  if (different !== undefined) {
    return words(...different);
  }
  const same = Buffer.from(expected.collections.serializeBinary()).equals(passed.collections.serializeBinary());
  return same ? undefined : "Collections do not match";
}

function parameterFields({ endorsement, validation, collections }: Definition): LifecycleRecord["fields"] {
  return [
    ["EndorsementInfo", endorsement.serializeBinary()],
    ["ValidationInfo", validation.serializeBinary()],
    ["Collections", collections.serializeBinary()],
  ];
}

function readParameters(recordName: string, sequence: number, state: LifecycleState): Definition {
  const bytes = (field: string): Uint8Array => readBytes(namespaces, recordName, field, state);
  return {
    sequence,
    endorsement: peer.lifecycle.ChaincodeEndorsementInfo.deserializeBinary(bytes("EndorsementInfo")),
    validation: peer.lifecycle.ChaincodeValidationInfo.deserializeBinary(bytes("ValidationInfo")),
    collections: peer.CollectionConfigPackage.deserializeBinary(bytes("Collections")),
  };
}

function parameterHex({ validation }: Definition): string {
  return Buffer.from(validation.getValidationParameter_asU8()).toString("hex");
}
