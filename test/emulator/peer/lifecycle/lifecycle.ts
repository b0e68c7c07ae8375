import { peer } from "@hyperledger/fabric-protos";
import type { ChannelConfig } from "../../channel/channel-config.ts";
import type { Simulator } from "../../ledger/simulator.ts";
import { messageOf } from "../../log.ts";
import { failure, success } from "../response.ts";
import { checkCollections } from "./collections.ts";
import {
  chaincodeSources,
  definitionFromArguments,
  definitionRecord,
  differenceOf,
  lifecycleNamespace,
  localPackageRecord,
  namespaces,
  parametersRecord,
  privateName,
  readApproval,
  readDefinition,
  readPackageId,
  readSequence,
  type Definition,
} from "./definition.ts";
import { defaultPolicyBytes, implicitCollection } from "./endorsement-policy.ts";
import type { InstalledChaincode, InstalledChaincodes } from "./installed.ts";
import { PackageNotFound } from "./package-store.ts";
import {
  mismatches,
  writeRecord,
  type HashedLifecycleState,
  type LifecycleState,
  type WritableLifecycleState,
} from "./serializer.ts";

/** The caller's channel; absent for what concerns the peer alone. */
export interface LifecycleChannel {
  readonly config: ChannelConfig;
  readonly simulator: Simulator;
}

class NotDefined extends Error {}

interface Serializable {
  serializeBinary(): Uint8Array;
}

/** The system chaincode `_lifecycle` (core/chaincode/lifecycle/scc.go). `authorize` throws when the caller may not use the function. */
export async function runLifecycle(
  args: readonly Uint8Array[],
  channel: LifecycleChannel | undefined,
  mspId: string,
  installed: InstalledChaincodes,
  authorize: (functionName: string) => void,
): Promise<peer.Response> {
  if (args.length === 0) {
    return failure("lifecycle scc must be invoked with arguments");
  }
  if (args.length !== 2) {
    return failure(`lifecycle scc operations require exactly two arguments but received ${args.length}`);
  }
  const functionName = Buffer.from(args[0] ?? []).toString();
  const argument = args[1] ?? new Uint8Array();
  try {
    authorize(functionName);
  } catch (error) {
    return failure(`Failed to authorize invocation due to failed ACL check: ${messageOf(error)}`);
  }
  try {
    const result =
      (await localFunction(functionName, argument, installed)) ??
      channelFunction(functionName, argument, channel, mspId);
    return success(result.serializeBinary());
  } catch (error) {
    return error instanceof NotDefined || error instanceof PackageNotFound
      ? failure(error.message, 404)
      : failure(`failed to invoke backing implementation of '${functionName}': ${messageOf(error)}`);
  }
}

const wire = peer.lifecycle;

async function localFunction(
  functionName: string,
  argument: Uint8Array,
  installed: InstalledChaincodes,
): Promise<Serializable | undefined> {
  switch (functionName) {
    case "InstallChaincode": {
      const args = wire.InstallChaincodeArgs.deserializeBinary(argument);
      const chaincode = await installed.install(args.getChaincodeInstallPackage_asU8());
      const result = new wire.InstallChaincodeResult();
      result.setLabel(chaincode.label);
      result.setPackageId(chaincode.packageId);
      return result;
    }
    case "QueryInstalledChaincode":
      return oneInstalled(installed.get(wire.QueryInstalledChaincodeArgs.deserializeBinary(argument).getPackageId()));
    case "QueryInstalledChaincodes": {
      const result = new wire.QueryInstalledChaincodesResult();
      installed.all().forEach((one) => result.addInstalledChaincodes(listedInstalled(one)));
      return result;
    }
    case "GetInstalledChaincodePackage": {
      const args = wire.GetInstalledChaincodePackageArgs.deserializeBinary(argument);
      const result = new wire.GetInstalledChaincodePackageResult();
      result.setChaincodeInstallPackage(readPackage(args.getPackageId(), installed));
      return result;
    }
    default:
      return undefined;
  }
}

function readPackage(packageId: string, installed: InstalledChaincodes): Buffer {
  try {
    return installed.bytes(packageId);
  } catch (error) {
    throw new Error(`could not load cc install package: ${messageOf(error)}`, { cause: error });
  }
}

function oneInstalled(installed: InstalledChaincode): Serializable {
  const result = new wire.QueryInstalledChaincodeResult();
  result.setPackageId(installed.packageId);
  result.setLabel(installed.label);
  installed.references.forEach((references, channelId) => {
    const list = new wire.QueryInstalledChaincodeResult.References();
    for (const { name, version } of references) {
      const chaincode = new wire.QueryInstalledChaincodeResult.Chaincode();
      chaincode.setName(name);
      chaincode.setVersion(version);
      list.addChaincodes(chaincode);
    }
    result.getReferencesMap().set(channelId, list);
  });
  return result;
}

function listedInstalled(
  installed: InstalledChaincode,
): peer.lifecycle.QueryInstalledChaincodesResult.InstalledChaincode {
  const result = new wire.QueryInstalledChaincodesResult.InstalledChaincode();
  result.setPackageId(installed.packageId);
  result.setLabel(installed.label);
  installed.references.forEach((references, channelId) => {
    const list = new wire.QueryInstalledChaincodesResult.References();
    for (const { name, version } of references) {
      const chaincode = new wire.QueryInstalledChaincodesResult.Chaincode();
      chaincode.setName(name);
      chaincode.setVersion(version);
      list.addChaincodes(chaincode);
    }
    result.getReferencesMap().set(channelId, list);
  });
  return result;
}

function channelFunction(
  functionName: string,
  argument: Uint8Array,
  channel: LifecycleChannel | undefined,
  mspId: string,
): Serializable {
  if (channel === undefined) {
    throw new Error(`no application config for channel ''`);
  }
  const invocation = new Invocation(channel, mspId);
  switch (functionName) {
    case "ApproveChaincodeDefinitionForMyOrg":
      return invocation.approve(wire.ApproveChaincodeDefinitionForMyOrgArgs.deserializeBinary(argument));
    case "CheckCommitReadiness":
      return invocation.checkReadiness(wire.CheckCommitReadinessArgs.deserializeBinary(argument));
    case "CommitChaincodeDefinition":
      return invocation.commit(wire.CommitChaincodeDefinitionArgs.deserializeBinary(argument));
    case "QueryApprovedChaincodeDefinition":
      return invocation.queryApproved(wire.QueryApprovedChaincodeDefinitionArgs.deserializeBinary(argument));
    case "QueryApprovedChaincodeDefinitions":
      return invocation.queryAllApproved();
    case "QueryChaincodeDefinition":
      return invocation.queryDefinition(wire.QueryChaincodeDefinitionArgs.deserializeBinary(argument).getName());
    case "QueryChaincodeDefinitions":
      return invocation.queryAllDefinitions();
    default:
      throw new Error(`receiver lifecycle.Invocation.${functionName} does not exist`);
  }
}

const systemNames: ReadonlySet<string> = new Set(["cscc", "escc", "lscc", "qscc", "vscc"]);

/** One call on one channel (core/chaincode/lifecycle/lifecycle.go ExternalFunctions). */
class Invocation {
  readonly #config: ChannelConfig;
  readonly #simulator: Simulator;
  readonly #mspId: string;
  readonly #public: WritableLifecycleState;
  readonly #own: WritableLifecycleState;

  constructor({ config, simulator }: LifecycleChannel, mspId: string) {
    const collection = implicitCollection(mspId);
    this.#config = config;
    this.#simulator = simulator;
    this.#mspId = mspId;
    this.#public = {
      get: (key) => simulator.get(lifecycleNamespace, key),
      put: (key, value) => simulator.put(lifecycleNamespace, key, value),
    };
    this.#own = {
      get: (key) => simulator.getPrivate(lifecycleNamespace, collection, key),
      put: (key, value) => simulator.putPrivate(lifecycleNamespace, collection, key, value),
    };
  }

  approve(args: peer.lifecycle.ApproveChaincodeDefinitionForMyOrgArgs): Serializable {
    this.#checkInput(args.getName(), args.getVersion(), args.getCollections());
    const name = args.getName();
    const requested = args.getSequence();
    const current = readSequence(name, this.#public);
    checkSequence(requested, current);
    const definition = this.#definition(args);
    const packageId = args.getSource()?.getLocalPackage()?.getPackageId() ?? "";
    if (requested === current) {
      this.#checkUnchanged(name, definition);
    }
    if (this.#isApprovedAlready(name, packageId, definition)) {
      throw new Error(
        requested === current
          ? `attempted to redefine the current committed sequence (${current}) for namespace ${name}`
          : `attempted to redefine uncommitted sequence (${requested}) for namespace ${name} with unchanged content`,
      );
    }
    const recordName = privateName(name, requested);
    writeRecord(namespaces, recordName, parametersRecord(definition), this.#own);
    writeRecord(chaincodeSources, recordName, localPackageRecord(packageId), this.#own);
    return new wire.ApproveChaincodeDefinitionForMyOrgResult();
  }

  checkReadiness(args: peer.lifecycle.CheckCommitReadinessArgs): Serializable {
    const definition = this.#nextDefinition(args.getName(), args);
    const result = new wire.CheckCommitReadinessResult();
    for (const [mspId, items] of this.#disagreements(args.getName(), definition)) {
      result.getApprovalsMap().set(mspId, items.length === 0);
      if (items.length > 0) {
        const list = new wire.CheckCommitReadinessResult.Mismatches();
        list.setItemsList([...items]);
        result.getMismatchesMap().set(mspId, list);
      }
    }
    return result;
  }

  commit(args: peer.lifecycle.CommitChaincodeDefinitionArgs): Serializable {
    this.#checkInput(args.getName(), args.getVersion(), args.getCollections());
    if (this.#config.organization(this.#mspId) === undefined) {
      throw new Error("impossibly, this peer's org is processing requests for a channel it is not a member of");
    }
    const definition = this.#nextDefinition(args.getName(), args);
    const disagreements = this.#disagreements(args.getName(), definition);
    writeRecord(namespaces, args.getName(), definitionRecord(definition), this.#public);
    if ((disagreements.get(this.#mspId) ?? []).length > 0) {
      throw new Error(`chaincode definition not agreed to by this org (${this.#mspId})`);
    }
    return new wire.CommitChaincodeDefinitionResult();
  }

  queryApproved(args: peer.lifecycle.QueryApprovedChaincodeDefinitionArgs): Serializable {
    const name = args.getName();
    const sequence = args.getSequence() === 0 ? this.#latestSequence(name) : args.getSequence();
    const approval = readApproval(name, sequence, this.#own);
    if (approval === undefined) {
      throw new Error(
        `could not fetch approved chaincode definition (name: '${name}', sequence: '${sequence}') on channel '${this.#config.channelId}'`,
      );
    }
    return fillDefinition(new wire.QueryApprovedChaincodeDefinitionResult(), approval, this.#sourceOf(name, sequence));
  }

  queryAllApproved(): Serializable {
    const result = new wire.QueryApprovedChaincodeDefinitionsResult();
    const prefix = "namespaces/metadata/";
    const collection = implicitCollection(this.#mspId);
    for (const { key } of this.#simulator.privateRange(lifecycleNamespace, collection, prefix, `${prefix}\x7f`)) {
      const [name = "", sequence = ""] = key.slice(prefix.length).split("#");
      const approval = readApproval(name, Number(sequence), this.#own);
      if (approval !== undefined) {
        const item = new wire.QueryApprovedChaincodeDefinitionsResult.ApprovedChaincodeDefinition();
        item.setName(name);
        result.addApprovedChaincodeDefinitions(fillDefinition(item, approval, this.#sourceOf(name, Number(sequence))));
      }
    }
    return result;
  }

  queryDefinition(name: string): Serializable {
    const definition = this.#committed(name);
    const result = fillDefinition(new wire.QueryChaincodeDefinitionResult(), definition);
    for (const [mspId, items] of this.#disagreements(name, definition)) {
      result.getApprovalsMap().set(mspId, items.length === 0);
    }
    return result;
  }

  queryAllDefinitions(): Serializable {
    const result = new wire.QueryChaincodeDefinitionsResult();
    const prefix = "namespaces/metadata/";
    for (const { key } of this.#simulator.range(lifecycleNamespace, prefix, `${prefix}\x7f`)) {
      const name = key.slice(prefix.length);
      const item = new wire.QueryChaincodeDefinitionsResult.ChaincodeDefinition();
      item.setName(name);
      result.addChaincodeDefinitions(fillDefinition(item, this.#committed(name)));
    }
    return result;
  }

  #committed(name: string): Definition {
    const definition = readDefinition(name, this.#public);
    if (definition === undefined) {
      throw new NotDefined(`namespace ${name} is not defined`);
    }
    return definition;
  }

  #definition(args: Parameters<typeof definitionFromArguments>[0]): Definition {
    return definitionFromArguments(args, () => defaultPolicyBytes(this.#config));
  }

  /** As `#definition`, for the sequence after the committed one. */
  #nextDefinition(name: string, args: Parameters<typeof definitionFromArguments>[0]): Definition {
    const next = readSequence(name, this.#public) + 1;
    if (args.getSequence() !== next) {
      throw new Error(`requested sequence is ${args.getSequence()}, but new definition must be sequence ${next}`);
    }
    return this.#definition(args);
  }

  /** For each organization of the channel, what its approval has otherwise; nothing when it agrees. */
  #disagreements(name: string, definition: Definition): ReadonlyMap<string, readonly string[]> {
    const recordName = privateName(name, definition.sequence);
    return new Map(
      (this.#config.applicationOrganizations ?? []).map(({ mspId }) => {
        const state: HashedLifecycleState = {
          hash: (key) => this.#simulator.getPrivateHash(lifecycleNamespace, implicitCollection(mspId), key),
        };
        return [mspId, mismatches(namespaces, recordName, parametersRecord(definition), state)];
      }),
    );
  }

  #checkInput(name: string, version: string, collections: peer.CollectionConfigPackage | undefined): void {
    try {
      checkNames(name, version);
      const read: LifecycleState = { get: (key) => this.#simulator.get(lifecycleNamespace, key) };
      const committed = readDefinition(name, read);
      if (committed === undefined) {
        // Fabric looks whether the old lifecycle has it, which is read too (deployedcc_infoprovider.go).
        this.#simulator.get("lscc", name);
      }
      checkCollections(collections, committed?.collections, this.#config);
    } catch (error) {
      throw new Error(`error validating chaincode definition: ${messageOf(error)}`, { cause: error });
    }
  }

  #checkUnchanged(name: string, definition: Definition): void {
    const difference = differenceOf(this.#committed(name), definition);
    if (difference !== undefined) {
      throw new Error(
        `attempted to redefine the current committed sequence (${definition.sequence}) for namespace ${name} with different parameters: ${difference}`,
      );
    }
  }

  #isApprovedAlready(name: string, packageId: string, definition: Definition): boolean {
    const approval = readApproval(name, definition.sequence, this.#own);
    return (
      approval !== undefined &&
      differenceOf(approval, definition) === undefined &&
      readPackageId(name, definition.sequence, this.#own) === packageId
    );
  }

  #latestSequence(name: string): number {
    const current = readSequence(name, this.#public);
    return readApproval(name, current + 1, this.#own) === undefined ? current : current + 1;
  }

  #sourceOf(name: string, sequence: number): peer.lifecycle.ChaincodeSource {
    const source = new wire.ChaincodeSource();
    const packageId = readPackageId(name, sequence, this.#own) ?? "";
    if (packageId === "") {
      source.setUnavailable(new wire.ChaincodeSource.Unavailable());
    } else {
      const local = new wire.ChaincodeSource.Local();
      local.setPackageId(packageId);
      source.setLocalPackage(local);
    }
    return source;
  }
}

function checkSequence(requested: number, current: number): void {
  if (current === requested && requested === 0) {
    throw new Error("requested sequence is 0, but first definable sequence number is 1");
  }
  if (requested < current) {
    throw new Error(`currently defined sequence ${current} is larger than requested sequence ${requested}`);
  }
  if (requested > current + 1) {
    throw new Error(`requested sequence ${requested} is larger than the next available sequence number ${current + 1}`);
  }
}

function checkNames(name: string, version: string): void {
  if (!/^[a-zA-Z0-9]+([-_][a-zA-Z0-9]+)*$/.test(name)) {
    throw new Error(
      `invalid chaincode name '${name}'. Names can only consist of alphanumerics, '_', and '-' and can only begin with alphanumerics`,
    );
  }
  if (systemNames.has(name)) {
    throw new Error(`chaincode name '${name}' is the name of a system chaincode`);
  }
  if (!/^[A-Za-z0-9_.+-]+$/.test(version)) {
    throw new Error(
      `invalid chaincode version '${version}'. Versions can only consist of alphanumerics, '_', '-', '+', and '.'`,
    );
  }
}

interface DefinitionResult {
  setSequence(value: number): unknown;
  setVersion(value: string): unknown;
  setEndorsementPlugin(value: string): unknown;
  setValidationPlugin(value: string): unknown;
  setValidationParameter(value: Uint8Array): unknown;
  setInitRequired(value: boolean): unknown;
  setCollections(value: peer.CollectionConfigPackage): unknown;
  setSource?(value: peer.lifecycle.ChaincodeSource): unknown;
}

function fillDefinition<Result extends DefinitionResult>(
  result: Result,
  definition: Definition,
  source?: peer.lifecycle.ChaincodeSource,
): Result {
  result.setSequence(definition.sequence);
  result.setVersion(definition.endorsement.getVersion());
  result.setEndorsementPlugin(definition.endorsement.getEndorsementPlugin());
  result.setValidationPlugin(definition.validation.getValidationPlugin());
  result.setValidationParameter(definition.validation.getValidationParameter_asU8());
  result.setInitRequired(definition.endorsement.getInitRequired());
  result.setCollections(definition.collections);
  if (source !== undefined) {
    result.setSource?.(source);
  }
  return result;
}
