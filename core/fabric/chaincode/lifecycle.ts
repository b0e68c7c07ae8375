import { peer } from "@hyperledger/fabric-protos";
import { FabricError, messageOf } from "../../error.ts";
import { type ChaincodeDefinition, checkChaincodeName, checkChaincodeVersion } from "./chaincode-definition.ts";
import type { ChaincodePackage } from "../package/chaincode-package.ts";
import type { CommittedTransaction, PeerGateway } from "../node/gateway.ts";
import { answers, type Answer, says } from "../node/answers.ts";
import type { NodeClient } from "../node/node-client.ts";
import { propose } from "../node/proposal.ts";

const { lifecycle } = peer;

/** A package on a peer, and the committed definitions that run it. */
export interface InstalledChaincode {
  readonly packageId: string;
  readonly label: string;
  readonly references: readonly { readonly channel: string; readonly name: string; readonly version: string }[];
}

/** A definition on a channel, and who has approved it. */
export interface CommittedDefinition extends ChaincodeDefinition {
  /** MSP ID -> approved. Only where one definition is asked for. */
  readonly approvals: ReadonlyMap<string, boolean>;
}

/** What one organization has approved. */
export interface ApprovedDefinition extends ChaincodeDefinition {
  /** Undefined: approved without a package, so this organization's peers do not run it. */
  readonly packageId: string | undefined;
}

/** Whether a definition can be committed. */
export interface CommitReadiness {
  /** MSP ID -> has approved exactly this definition. */
  readonly approvals: ReadonlyMap<string, boolean>;
  /** MSP ID -> the parts in which its approval of this sequence differs. Only Fabric 3 reports them. */
  readonly mismatches: ReadonlyMap<string, readonly ApprovedPart[]>;
  /** MSP IDs of organizations that have approved nothing of this sequence. Only Fabric 3 reports them. */
  readonly silent: ReadonlySet<string>;
}

/** Parts of what an organization approves, each with a hash of its own (core/chaincode/lifecycle/lifecycle.go, ChaincodeParameters). */
export type ApprovedPart =
  /** Version and whether there is Init. */
  "EndorsementInfo" | "ValidationInfo" | "Collections";

/** What Fabric reports instead of parts if there is no approval to compare with (core/chaincode/lifecycle/serializer.go, IsSerialized). */
const nothingApproved = "ChaincodeParameters";

/**
 * Installs a package on a peer, which may build it. Needs an administrator of the peer's organization. False when the peer
 * had it already. No timeout unless given: a build takes several minutes on small machines, and the peer itself ends one
 * that takes too long (core.yaml, chaincode.installTimeout).
 */
export async function installChaincode(client: NodeClient, { id, bytes }: ChaincodePackage): Promise<boolean> {
  const args = new lifecycle.InstallChaincodeArgs();
  args.setChaincodeInstallPackage(bytes);
  let answer: Uint8Array;
  try {
    answer = await ask({ timeout: Infinity, ...client }, "", "InstallChaincode", args);
  } catch (error) {
    if (isRefusal(error) && answers.installedAlready.text.exec(error.message)?.[1] === id) return false;
    throw error;
  }
  const installed = lifecycle.InstallChaincodeResult.deserializeBinary(answer).getPackageId();
  if (installed === id) return true;
  throw new FabricError("internal", `expected package ID ${id} from ${client.connection.name}, found ${installed}`);
}

/** Packages on a peer, in order of their IDs. */
export async function installedChaincodes(client: NodeClient): Promise<readonly InstalledChaincode[]> {
  const args = new lifecycle.QueryInstalledChaincodesArgs();
  const answer = await ask(client, "", "QueryInstalledChaincodes", args);
  return lifecycle.QueryInstalledChaincodesResult.deserializeBinary(answer)
    .getInstalledChaincodesList()
    .map((installed) => ({
      packageId: installed.getPackageId(),
      label: installed.getLabel(),
      references: installed
        .getReferencesMap()
        .getEntryList()
        .flatMap(([channel]) =>
          (installed.getReferencesMap().get(channel)?.getChaincodesList() ?? []).map((chaincode) => ({
            channel,
            name: chaincode.getName(),
            version: chaincode.getVersion(),
          })),
        ),
    }))
    .sort((left, right) => (left.packageId < right.packageId ? -1 : 1));
}

/** A package back from a peer, byte for byte as it was installed; undefined when it is not there. */
export async function installedPackage(client: NodeClient, packageId: string): Promise<Uint8Array | undefined> {
  const args = new lifecycle.GetInstalledChaincodePackageArgs();
  args.setPackageId(packageId);
  const answer = await unless(answers.packageAbsent, () => ask(client, "", "GetInstalledChaincodePackage", args));
  return (
    answer && lifecycle.GetInstalledChaincodePackageResult.deserializeBinary(answer).getChaincodeInstallPackage_asU8()
  );
}

/** The definition of a chaincode on a channel; undefined when none is committed. */
export async function committedDefinition(
  client: NodeClient,
  channel: string,
  name: string,
): Promise<CommittedDefinition | undefined> {
  const args = new lifecycle.QueryChaincodeDefinitionArgs();
  args.setName(name);
  const answer = await unless(answers.notDefined, () => ask(client, channel, "QueryChaincodeDefinition", args));
  if (!answer) return undefined;
  const result = lifecycle.QueryChaincodeDefinitionResult.deserializeBinary(answer);
  return { name, ...definitionOf(result), approvals: new Map(entriesOf(result.getApprovalsMap())) };
}

/** All definitions on a channel, in order of their names. Approvals are not part of this answer. */
export async function committedDefinitions(
  client: NodeClient,
  channel: string,
): Promise<readonly ChaincodeDefinition[]> {
  const args = new lifecycle.QueryChaincodeDefinitionsArgs();
  const answer = await ask(client, channel, "QueryChaincodeDefinitions", args);
  return lifecycle.QueryChaincodeDefinitionsResult.deserializeBinary(answer)
    .getChaincodeDefinitionsList()
    .map((definition) => ({ name: definition.getName(), ...definitionOf(definition) }))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
}

/**
 * What the peer's organization has approved for a chaincode, at a sequence or at the newest one.
 * Undefined when it has approved none.
 */
export async function approvedDefinition(
  client: NodeClient,
  channel: string,
  { name, sequence }: { readonly name: string; readonly sequence?: number | undefined },
): Promise<ApprovedDefinition | undefined> {
  const args = new lifecycle.QueryApprovedChaincodeDefinitionArgs();
  args.setName(name);
  if (sequence !== undefined) args.setSequence(sequence);
  const answer = await unless(answers.notApproved, () =>
    ask(client, channel, "QueryApprovedChaincodeDefinition", args),
  );
  if (!answer) return undefined;
  const result = lifecycle.QueryApprovedChaincodeDefinitionResult.deserializeBinary(answer);
  const packageId = result.getSource()?.getLocalPackage()?.getPackageId();
  return { name, ...definitionOf(result), packageId: packageId || undefined };
}

/**
 * All that the peer's organization has approved on a channel, every sequence of every chaincode, committed or not.
 * Undefined when the peer does not have this query: Fabric 3.1 has it, 2.5 has not (core/chaincode/lifecycle/scc.go).
 */
export async function approvedDefinitions(
  client: NodeClient,
  channel: string,
): Promise<readonly ApprovedDefinition[] | undefined> {
  const args = new lifecycle.QueryApprovedChaincodeDefinitionsArgs();
  const answer = await unless(answers.functionUnknown, () =>
    ask(client, channel, "QueryApprovedChaincodeDefinitions", args),
  );
  if (!answer) return undefined;
  return lifecycle.QueryApprovedChaincodeDefinitionsResult.deserializeBinary(answer)
    .getApprovedChaincodeDefinitionsList()
    .map((result) => {
      const packageId = result.getSource()?.getLocalPackage()?.getPackageId();
      return { name: result.getName(), ...definitionOf(result), packageId: packageId || undefined };
    });
}

/** Who has approved exactly this definition. Throws `rejected` when its sequence is not the next one. */
export async function commitReadiness(
  client: NodeClient,
  channel: string,
  definition: ChaincodeDefinition,
): Promise<CommitReadiness> {
  const args = new lifecycle.CheckCommitReadinessArgs();
  setDefinition(args, definition);
  const answer = await ask(client, channel, "CheckCommitReadiness", args);
  const result = lifecycle.CheckCommitReadinessResult.deserializeBinary(answer);
  const mismatches = result.getMismatchesMap();
  const told = mismatches
    .getEntryList()
    .map(([mspId]) => ({ mspId, parts: mismatches.get(mspId)?.getItemsList() ?? [] }));
  const isSilent = ({ parts }: (typeof told)[number]) => parts.includes(nothingApproved);
  return {
    approvals: new Map(entriesOf(result.getApprovalsMap())),
    mismatches: new Map(
      told
        .filter((one) => !isSilent(one))
        .map(({ mspId, parts }) => [mspId, parts as readonly ApprovedPart[]] as const),
    ),
    silent: new Set(told.filter(isSilent).map(({ mspId }) => mspId)),
  };
}

/**
 * Approves a definition for the organization of the gateway's identity, with the package that its peers run for it
 * (undefined: they run none). Undefined when the organization had approved exactly this. Needs an administrator of it.
 */
export async function approveDefinition(
  gateway: PeerGateway,
  channel: string,
  mspId: string,
  definition: ChaincodeDefinition,
  packageId: string | undefined,
): Promise<CommittedTransaction | undefined> {
  const args = new lifecycle.ApproveChaincodeDefinitionForMyOrgArgs();
  setDefinition(args, definition);
  args.setSource(chaincodeSource(packageId));
  return unless(answers.approvedAlready, () =>
    transact(gateway, channel, "ApproveChaincodeDefinitionForMyOrg", args, [mspId]),
  );
}

/** Commits a definition that enough organizations have approved. The peers of `endorsingOrganizations` endorse it. */
export async function commitDefinition(
  gateway: PeerGateway,
  channel: string,
  endorsingOrganizations: readonly string[],
  definition: ChaincodeDefinition,
): Promise<CommittedTransaction> {
  const args = new lifecycle.CommitChaincodeDefinitionArgs();
  setDefinition(args, definition);
  return transact(gateway, channel, "CommitChaincodeDefinition", args, endorsingOrganizations);
}

/** Whether a definition was refused because another command has committed one of its sequence. */
export function isSequenceTaken(error: unknown, sequence: number): boolean {
  const next = messageOf(error).matchAll(new RegExp(answers.sequenceOther.text, "g"));
  return [...next].some(([, found]) => Number(found) > sequence);
}

interface Message {
  serializeBinary(): Uint8Array;
}

function ask(client: NodeClient, channel: string, name: string, args: Message): Promise<Uint8Array> {
  const invocation = { channel, chaincode: "_lifecycle", function: name, arguments: [args.serializeBinary()] };
  return propose(client, invocation);
}

function transact(
  gateway: PeerGateway,
  channel: string,
  name: string,
  args: Message,
  endorsingOrganizations: readonly string[],
): Promise<CommittedTransaction> {
  const invocation = { channel, chaincode: "_lifecycle", function: name, arguments: [args.serializeBinary()] };
  return gateway.submit({ ...invocation, endorsingOrganizations });
}

/** The result, or undefined when Fabric refuses with the text `refusal`. */
async function unless<Result>(refusal: Answer, act: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await act();
  } catch (error) {
    if (isRefusal(error) && says(error.message, refusal)) return undefined;
    throw error;
  }
}

/** Whether Fabric itself refused. The API server, which leads to it, says "not found" of a missing Pod, too. */
function isRefusal(error: unknown): error is FabricError {
  return error instanceof FabricError && !["connection", "forbidden"].includes(error.code);
}

function chaincodeSource(packageId: string | undefined): peer.lifecycle.ChaincodeSource {
  const source = new lifecycle.ChaincodeSource();
  if (packageId === undefined) {
    source.setUnavailable(new lifecycle.ChaincodeSource.Unavailable());
  } else {
    const local = new lifecycle.ChaincodeSource.Local();
    local.setPackageId(packageId);
    source.setLocalPackage(local);
  }
  return source;
}

type DefinitionMessage = Pick<
  peer.lifecycle.CommitChaincodeDefinitionArgs,
  | "setName"
  | "setVersion"
  | "setSequence"
  | "setEndorsementPlugin"
  | "setValidationPlugin"
  | "setValidationParameter"
  | "setCollections"
  | "setInitRequired"
>;

function setDefinition(args: DefinitionMessage, definition: ChaincodeDefinition): void {
  checkChaincodeName(definition.name);
  checkChaincodeVersion(definition.version);
  args.setName(definition.name);
  args.setVersion(definition.version);
  args.setSequence(definition.sequence);
  // Unset plugins are Fabric's own, escc and vscc (core/chaincode/lifecycle/lifecycle.go,
  // SetChaincodeDefinitionDefaults).
  args.setValidationParameter(definition.endorsementPolicy);
  args.setInitRequired(definition.initRequired);
  if (definition.collections.length > 0) {
    args.setCollections(peer.CollectionConfigPackage.deserializeBinary(definition.collections));
  }
}

type DefinitionResult = Pick<
  peer.lifecycle.QueryChaincodeDefinitionResult,
  "getVersion" | "getSequence" | "getValidationParameter_asU8" | "getCollections" | "getInitRequired"
>;

function definitionOf(result: DefinitionResult): Omit<ChaincodeDefinition, "name"> {
  return {
    version: result.getVersion(),
    sequence: result.getSequence(),
    endorsementPolicy: result.getValidationParameter_asU8(),
    collections: result.getCollections()?.serializeBinary() ?? new Uint8Array(),
    initRequired: result.getInitRequired(),
  };
}

function entriesOf<Value>(map: { getEntryList(): [string, Value][] }): [string, Value][] {
  return map.getEntryList();
}
