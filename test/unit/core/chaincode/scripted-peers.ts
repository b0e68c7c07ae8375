import { peer } from "@hyperledger/fabric-protos";
import {
  defaultEndorsementPolicyBytes,
  type ChaincodeDefinition,
} from "../../../../core/fabric/chaincode/chaincode-definition.ts";
import { genesisBlock } from "../../../../core/fabric/channel/genesis.ts";
import { FabricError } from "../../../../core/error.ts";
import type { ApprovedDefinition } from "../../../../core/fabric/chaincode/lifecycle.ts";
import type { NodeConnection } from "../../../../core/fabric/node/node-connection.ts";
import type { SigningIdentity } from "../../../../core/fabric/identity/signing-identity.ts";
import type { ApiRequest, Cluster } from "../../../../core/kubernetes/cluster.ts";
import type { Administrator, OpenNetwork } from "../../../../core/network/session/open-network.ts";
import { networkFor } from "../../../../core/network/resources/network-request.ts";
import { hostOf } from "../../../../core/network/resources/nodes.ts";
import { raftChannel } from "../fabric/channel-fixture.ts";

const { lifecycle } = peer;

/** A first definition, which asks for nothing special. */
export const assetDefinition: ChaincodeDefinition = {
  name: "asset",
  version: "1",
  sequence: 1,
  endorsementPolicy: defaultEndorsementPolicyBytes(),
  collections: new Uint8Array(),
  initRequired: false,
};

/** What peers of org1 and org2 know of one chaincode on mychannel. */
export interface LifecycleScript {
  readonly committed?: ChaincodeDefinition;
  /** Of each organization; one unless told. */
  readonly peers?: number;
  /** The newest sequence that a peer knows, if it lags behind. Asked at each question. */
  readonly lags?: (host: string) => number | undefined;
  /** By organization, newest last. */
  readonly approved?: Readonly<Record<string, readonly ApprovedDefinition[]>>;
  /** What a peer says of a definition that may be committed, as it says it: MSP ID -> "approved", or Fabric's names of what differs. */
  readonly readiness?: (sequence: number) => Readonly<Record<string, "approved" | readonly string[]>>;
  /** Organizations whose administrator the user may not be. */
  readonly forbidden?: Readonly<Record<string, Error>>;
  /** Organizations none of whose peers runs. */
  readonly away?: readonly string[];
  /** What chaincode says to a call, as a peer passes it on. */
  readonly called?: string;
  /** IDs of packages that every peer has installed; nobody tells unless told. */
  readonly installed?: readonly string[];
  /** That peers have joined; none unless told. */
  readonly channels?: readonly string[];
  /** Questions that fail. */
  readonly fails?: (host: string, question: string) => Error | undefined;
}

export interface ScriptedPeers {
  readonly network: OpenNetwork;
  /** Every question, as "peer0.org1 QueryChaincodeDefinition". */
  readonly asked: readonly string[];
}

/** A network of two organizations, whose peers answer what lifecycle queries ask. Their Pods are ready. */
export function scriptedPeers(script: LifecycleScript): ScriptedPeers {
  const definition = networkFor({ peerOrganizations: ["org1", "org2"], peers: script.peers });
  const asked: string[] = [];
  const connection: OpenNetwork["connection"] = async (node) => {
    const host = hostOf(node);
    if (script.away?.includes(node.organization.name)) {
      throw new FabricError("not-ready", `expected a running Pod of ${host}, found none`, {
        hint: "kubectl fabric init",
      });
    }
    const answer = (signed: peer.SignedProposal, _: unknown, done: Callback) => {
      const [question, argument] = questionOf(signed);
      asked.push(`${host} ${question}`);
      const failure = script.fails?.(host, question);
      if (failure) return void setImmediate(() => done(failure as never));
      const response = new peer.ProposalResponse();
      response.setResponse(answerTo(asKnownBy(script, host), node.organization.name, question, argument));
      setImmediate(() => done(null, response));
    };
    return { endpoint: { serverName: host }, stub: () => ({ processProposal: answer }) } as unknown as NodeConnection;
  };
  const identity = {
    creator: new Uint8Array(),
    sign: async () => new Uint8Array(),
    gateway: { identity: { mspId: "Org1MSP", credentials: new Uint8Array() }, signer: async () => new Uint8Array() },
  } as unknown as SigningIdentity;
  const network = {
    definition,
    connection,
    cluster: { call: readyPods, webSocket: noDaemon } as unknown as Cluster,
    administrator: async ({ name }: { readonly name: string }) => {
      const refusal = script.forbidden?.[name];
      if (refusal) throw refusal;
      return { identity } as Administrator;
    },
  };
  return { network: network as unknown as OpenNetwork, asked };
}

type Callback = (error: null, response?: peer.ProposalResponse) => void;

function questionOf(signed: peer.SignedProposal): readonly [string, Uint8Array] {
  const proposal = peer.Proposal.deserializeBinary(signed.getProposalBytes_asU8());
  const payload = peer.ChaincodeProposalPayload.deserializeBinary(proposal.getPayload_asU8());
  const invocation = peer.ChaincodeInvocationSpec.deserializeBinary(payload.getInput_asU8());
  const [name, argument = new Uint8Array()] = invocation.getChaincodeSpec()?.getInput()?.getArgsList_asU8() ?? [];
  return [Buffer.from(name ?? []).toString(), argument];
}

/** What a peer that lags behind knows of a script: the definition that was committed before is like the newest. */
function asKnownBy(script: LifecycleScript, host: string): LifecycleScript {
  const newest = script.lags?.(host);
  if (newest === undefined) return script;
  const { committed, approved = {}, ...rest } = script;
  const before = committed && { ...committed, version: String(newest), sequence: newest };
  const known = Object.entries(approved).map(([organization, all]) => [
    organization,
    all.filter(({ sequence }) => sequence <= newest),
  ]);
  return { ...rest, ...(before && newest > 0 && { committed: before }), approved: Object.fromEntries(known) };
}

function answerTo(
  script: LifecycleScript,
  organization: string,
  question: string,
  argument: Uint8Array,
): peer.Response {
  const { committed, approved, readiness, channels = [] } = script;
  switch (question) {
    case "GetConfigBlock":
      return success(genesisBlock(raftChannel, { now: new Date(0) }));
    case "GetChannels": {
      const result = new peer.ChannelQueryResponse();
      result.setChannelsList(
        channels.map((name) => {
          const info = new peer.ChannelInfo();
          info.setChannelId(name);
          return info;
        }),
      );
      return success(result);
    }
    case "QueryChaincodeDefinition": {
      if (!committed) return refusal("namespace asset is not defined");
      const result = new lifecycle.QueryChaincodeDefinitionResult();
      setDefinition(result, committed);
      return success(result);
    }
    case "QueryChaincodeDefinitions": {
      const result = new lifecycle.QueryChaincodeDefinitionsResult();
      if (committed) {
        const one = new lifecycle.QueryChaincodeDefinitionsResult.ChaincodeDefinition();
        one.setName(committed.name);
        setDefinition(one, committed);
        result.setChaincodeDefinitionsList([one]);
      }
      return success(result);
    }
    case "QueryInstalledChaincodes": {
      if (!script.installed) return refusal("nobody has told what is installed");
      const result = new lifecycle.QueryInstalledChaincodesResult();
      result.setInstalledChaincodesList(
        script.installed.map((id) => {
          const one = new lifecycle.QueryInstalledChaincodesResult.InstalledChaincode();
          one.setPackageId(id);
          return one;
        }),
      );
      return success(result);
    }
    case "QueryApprovedChaincodeDefinition": {
      const sequence = lifecycle.QueryApprovedChaincodeDefinitionArgs.deserializeBinary(argument).getSequence();
      const found = approved?.[organization]?.findLast((one) => sequence === 0 || one.sequence === sequence);
      if (!found) return refusal("could not fetch approved chaincode definition (name: 'asset')");
      const result = new lifecycle.QueryApprovedChaincodeDefinitionResult();
      setDefinition(result, found);
      const source = new lifecycle.ChaincodeSource();
      const local = new lifecycle.ChaincodeSource.Local();
      local.setPackageId(found.packageId ?? "");
      source.setLocalPackage(local);
      result.setSource(source);
      return success(result);
    }
    case "CheckCommitReadiness": {
      const sequence = lifecycle.CheckCommitReadinessArgs.deserializeBinary(argument).getSequence();
      const result = new lifecycle.CheckCommitReadinessResult();
      for (const [mspId, said] of Object.entries(readiness?.(sequence) ?? {})) {
        result.getApprovalsMap().set(mspId, said === "approved");
        if (said === "approved" || said.length === 0) continue;
        const items = new lifecycle.CheckCommitReadinessResult.Mismatches();
        items.setItemsList([...said]);
        result.getMismatchesMap().set(mspId, items);
      }
      return success(result);
    }
    default:
      return refusal(script.called ?? `nobody has told what to answer to ${question}`);
  }
}

type DefinitionResult =
  | peer.lifecycle.QueryChaincodeDefinitionResult
  | peer.lifecycle.QueryChaincodeDefinitionsResult.ChaincodeDefinition
  | peer.lifecycle.QueryApprovedChaincodeDefinitionResult;

function setDefinition(result: DefinitionResult, definition: ChaincodeDefinition): void {
  result.setVersion(definition.version);
  result.setSequence(definition.sequence);
  result.setValidationParameter(definition.endorsementPolicy);
  result.setInitRequired(definition.initRequired);
  if (definition.collections.length > 0) {
    result.setCollections(peer.CollectionConfigPackage.deserializeBinary(definition.collections));
  }
}

function success(payload: { serializeBinary(): Uint8Array }): peer.Response {
  const response = new peer.Response();
  response.setStatus(200);
  response.setPayload(payload.serializeBinary());
  return response;
}

function refusal(message: string): peer.Response {
  const response = new peer.Response();
  response.setStatus(500);
  response.setMessage(message);
  return response;
}

/** The same for who has rights in the namespace of one organization only. */
export function withRightsIn(network: OpenNetwork, organization: string): OpenNetwork {
  const { cluster } = network;
  const call: Cluster["call"] = (asked) =>
    asked.path.includes(`/namespaces/${organization}/`)
      ? cluster.call(asked)
      : Promise.reject(new FabricError("forbidden", "no right", { hint: "kubectl auth can-i list pods" }));
  return { ...network, cluster: { ...cluster, call } };
}

async function noDaemon(): Promise<never> {
  throw new FabricError("not-found", "expected a daemon, found none");
}

async function readyPods({ path }: ApiRequest): Promise<unknown> {
  if (!path.endsWith("/pods")) return { items: [] };
  const conditions = [{ type: "Ready", status: "True" }];
  return { items: [{ metadata: { name: "peer0-0" }, status: { phase: "Running", conditions } }] };
}
