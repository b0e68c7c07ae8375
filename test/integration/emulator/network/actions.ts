import { status } from "@grpc/grpc-js";
import type { Contract } from "@hyperledger/fabric-gateway";
import { peer } from "@hyperledger/fabric-protos";
import { connectGateway, propose, servicePackage, type Connection } from "./client.ts";
import { channelId, eventually, participate, type Network, type PeerNode } from "./network.ts";
import { freePorts } from "../../free-ports.ts";
import { newProcess, type NodeProcess } from "./processes.ts";

/** Joins all orderers and peers to the channel. */
export async function joinAll(network: Network): Promise<void> {
  for (const orderer of network.orderers) {
    await participate(orderer, network.ordererOrganization, "POST", "", network.genesis);
  }
  await eventually("a leader", () =>
    network.orderers.every(({ process: node }) => node.output().includes("Raft leader changed")) ? true : undefined,
  );
  for (const node of network.peers) {
    await propose(node, { chaincode: "cscc", args: ["JoinChain", network.genesis] });
  }
}

export async function install(node: PeerNode, bytes: Uint8Array): Promise<peer.Response> {
  const args = new peer.lifecycle.InstallChaincodeArgs();
  args.setChaincodeInstallPackage(bytes);
  return lifecycle(node, "InstallChaincode", args.serializeBinary());
}

/** Calls `_lifecycle` at one peer, on the channel unless the function is the peer's own. */
export async function lifecycle(node: PeerNode, name: string, args: Uint8Array, on = ""): Promise<peer.Response> {
  const response = await propose(node, { chaincode: "_lifecycle", channelId: on, args: [name, args] });
  return response.getResponse() ?? new peer.Response();
}

export interface Definition {
  readonly name: string;
  readonly version: string;
  readonly sequence: number;
  readonly collections?: peer.CollectionConfigPackage;
  /** An ApplicationPolicy; the channel's default without. */
  readonly endorsementPolicy?: Uint8Array;
}

/** What an organization approves; without a package it does not run the chaincode. */
export function approvalOf(
  definition: Definition,
  packageId = "",
): peer.lifecycle.ApproveChaincodeDefinitionForMyOrgArgs {
  const args = definitionArguments(new peer.lifecycle.ApproveChaincodeDefinitionForMyOrgArgs(), definition);
  const source = new peer.lifecycle.ChaincodeSource();
  if (packageId === "") {
    source.setUnavailable(new peer.lifecycle.ChaincodeSource.Unavailable());
  } else {
    const local = new peer.lifecycle.ChaincodeSource.Local();
    local.setPackageId(packageId);
    source.setLocalPackage(local);
  }
  args.setSource(source);
  return args;
}

export async function approve(node: PeerNode, definition: Definition, packageId: string): Promise<void> {
  const args = approvalOf(definition, packageId);
  await withContract(node, "_lifecycle", (contract) =>
    contract.submit("ApproveChaincodeDefinitionForMyOrg", {
      arguments: [args.serializeBinary()],
      endorsingOrganizations: [node.organization.mspId],
    }),
  );
}

/** Which organizations have approved, as this peer sees it. */
export async function readiness(node: PeerNode, definition: Definition): Promise<ReadonlyMap<string, boolean>> {
  const args = definitionArguments(new peer.lifecycle.CheckCommitReadinessArgs(), definition);
  const response = await lifecycle(node, "CheckCommitReadiness", args.serializeBinary(), channelId);
  if (response.getStatus() !== 200) {
    throw new Error(response.getMessage());
  }
  const result = peer.lifecycle.CheckCommitReadinessResult.deserializeBinary(response.getPayload_asU8());
  return new Map(result.getApprovalsMap().getEntryList());
}

export async function commit(node: PeerNode, definition: Definition, mspIds: readonly string[]): Promise<void> {
  const args = definitionArguments(new peer.lifecycle.CommitChaincodeDefinitionArgs(), definition);
  await withContract(node, "_lifecycle", (contract) =>
    contract.submit("CommitChaincodeDefinition", {
      arguments: [args.serializeBinary()],
      endorsingOrganizations: [...mspIds],
    }),
  );
}

/** A chaincode as a service that runs, installed, approved and committed everywhere. */
export async function deploy(network: Network, definition: Definition): Promise<NodeProcess> {
  const { service, bytes, packageId } = await serve(`${definition.name}_${definition.version}`);
  await deployPackage(network, definition, bytes, packageId);
  return service;
}

/** A chaincode as a service that runs, and its package. */
export async function serve(
  label: string,
): Promise<{ readonly service: NodeProcess; readonly bytes: Buffer; readonly packageId: string }> {
  const [port = 0] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const { bytes, packageId } = await servicePackage(label, address);
  const service = newProcess(
    [process.execPath, `${import.meta.dirname}/../asset-chaincode.ts`],
    { CHAINCODE_ID: packageId, CHAINCODE_SERVER_ADDRESS: address, CORE_CHAINCODE_LOGGING_SHIM: "error" },
    /chaincode serves/,
  );
  await service.start();
  return { service, bytes, packageId };
}

/** Installs, approves and commits everywhere. */
export async function deployPackage(
  network: Network,
  definition: Definition,
  bytes: Uint8Array,
  packageId: string,
): Promise<void> {
  for (const node of network.peers) {
    await install(node, bytes);
    await approve(node, definition, packageId);
  }
  const mspIds = network.peers.map(({ organization }) => organization.mspId);
  const [first] = network.peers as readonly [PeerNode];
  for (const node of network.peers) {
    await eventually("approvals of all organizations", async () =>
      [...(await readiness(node, definition)).values()].every(Boolean) ? true : undefined,
    );
  }
  await eventually("peers that know of each other", () =>
    commit(first, definition, mspIds).then(() => true, unlessUnavailable),
  );
}

/** Peers of other organizations are not found until gossip has told of them. */
function unlessUnavailable(error: unknown): undefined {
  if ((error as { readonly code?: unknown }).code !== (status.UNAVAILABLE as number)) {
    throw error;
  }
}

export async function withContract<T>(
  node: PeerNode,
  chaincode: string,
  work: (contract: Contract, connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = connectGateway(node);
  try {
    return await work(connection.gateway.getNetwork(channelId).getContract(chaincode), connection);
  } finally {
    connection.close();
  }
}

interface DefinitionArguments {
  setName(value: string): unknown;
  setVersion(value: string): unknown;
  setSequence(value: number): unknown;
  setCollections(value: peer.CollectionConfigPackage): unknown;
  setValidationParameter(value: Uint8Array): unknown;
  serializeBinary(): Uint8Array;
}

export function definitionArguments<Args extends DefinitionArguments>(args: Args, definition: Definition): Args {
  args.setName(definition.name);
  args.setVersion(definition.version);
  args.setSequence(definition.sequence);
  if (definition.collections !== undefined) {
    args.setCollections(definition.collections);
  }
  if (definition.endorsementPolicy !== undefined) {
    args.setValidationParameter(definition.endorsementPolicy);
  }
  return args;
}
