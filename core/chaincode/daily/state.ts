import { FabricError, LostConnection, messageOf } from "../../error.ts";
import type { ChaincodeDefinition } from "../../fabric/chaincode/chaincode-definition.ts";
import { readCollectionsBytes, type CommittedCollection } from "../../fabric/chaincode/collections-reading.ts";
import { printEndorsementPolicy } from "../../fabric/policy/endorsement-policy.ts";
import {
  approvedDefinition,
  committedDefinition,
  installedChaincodes,
  type ApprovedDefinition,
} from "../../fabric/chaincode/lifecycle.ts";
import { peerChannels } from "../../fabric/channel/peer-channels.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { podProblem } from "../../network/operations/pod-problem.ts";
import { reachPeer } from "../../network/session/reach.ts";
import { hostOf, nodesOf, peerNodes, type FabricNode } from "../../network/resources/nodes.ts";
import type { PeerOrganization } from "../../network/resources/spec.ts";
import { byReason } from "../../engine/reasons.ts";
import { eventually } from "../../engine/eventually.ts";
import { ifAnswered } from "../../engine/if-answered.ts";
import { containerOf, containersOf, type ChaincodeContainer } from "../daemon/containers.ts";
import { definitionsOn } from "../deployment/furthest-peer.ts";
import { runningServices, serviceOf, type RunningService } from "../runtime/running-service.ts";
import { unknownChannel } from "../deployment/unknown-name.ts";

/** A chaincode at one peer. */
export interface PeerChaincode {
  readonly peer: string;
  readonly organization: string;
  /** Undefined: its organization has approved no package, or could not be asked. */
  readonly packageId?: string | undefined;
  readonly installed: boolean;
  /** "none": never started there. "unknown": there is no daemon to look into. */
  readonly container: ChaincodeContainer | "none" | "unknown";
  /** The service that kubectl fabric made for it, if there is one: then the peer's daemon has no container of it. */
  readonly service?: RunningService | undefined;
  /** Why the peer could not be asked. */
  readonly problem?: string | undefined;
  /** The user has no right to ask it. */
  readonly forbidden?: true | undefined;
}

/** One chaincode on one channel, wherever it is. */
export interface ChaincodeState {
  readonly channel: string;
  readonly name: string;
  readonly version: string;
  readonly sequence: number;
  /** As a user writes it. */
  readonly policy: string;
  readonly collections: readonly CommittedCollection[];
  readonly initRequired: boolean;
  /** MSP ID -> has approved just this definition. */
  readonly approvals: Readonly<Record<string, boolean>>;
  readonly peers: readonly PeerChaincode[];
}

/** A definition that was committed before, as one organization approved it. */
export interface FormerDefinition {
  readonly version: string;
  readonly sequence: number;
  readonly policy: string;
  readonly collections: readonly string[];
  readonly packageId: string | undefined;
}

export interface Selected {
  readonly channel?: string | undefined;
  readonly name?: string | undefined;
}

/** Every committed chaincode, or those selected. A peer that does not answer is a line in the result, not a failure. */
export async function chaincodeStates(
  network: OpenNetwork,
  { channel, name }: Selected,
  signal: AbortSignal,
): Promise<readonly ChaincodeState[]> {
  const surveys = await Promise.all(peerNodes(network.definition).map((node) => survey(network, node, signal)));
  const answering = surveys.filter(({ problem }) => problem === undefined);
  if (answering.length === 0) throw nobodyAnswers(surveys);
  const channels = [...new Set(answering.flatMap((each) => each.channels))].sort();
  if (channel !== undefined && !channels.includes(channel))
    throw unknownChannel("of a peer that answers", channels, channel);
  const chosen = channel === undefined ? channels : [channel];
  const states = await Promise.all(chosen.map((each) => statesOn(network, each, name, surveys, signal)));
  return states.flat();
}

/** The one chaincode that `selected` names. Throws `usage` when it is on no channel, or on several. */
export async function chaincodeState(
  network: OpenNetwork,
  selected: Selected & { readonly name: string },
  signal: AbortSignal,
): Promise<ChaincodeState> {
  const states = await chaincodeStates(network, selected, signal);
  const [first] = states;
  if (!first) {
    const where = selected.channel === undefined ? "any channel" : selected.channel;
    const all = await chaincodeStates(network, { channel: selected.channel }, signal);
    const names = [...new Set(all.map(({ name }) => name))].sort();
    throw new FabricError(
      "usage",
      `expected a chaincode that is committed on ${where} (${names.join(", ") || "none"}), found ${selected.name}`,
      { hint: { operation: "chaincode list" } },
    );
  }
  if (states.length === 1) return first;
  const channels = states.map((state) => state.channel).join(", ");
  throw new FabricError("usage", `expected one ${selected.name}, found it on ${channels}`, {
    hint: ["choose one with ", { setting: "channel" }, ", for example ", { setting: "channel", to: first.channel }],
  });
}

/** The state after a deployment. Undefined when it cannot be read: what was done stays done. */
export async function stateAfter(
  network: OpenNetwork,
  channel: string,
  name: string,
  signal: AbortSignal,
): Promise<ChaincodeState | undefined> {
  return (await ifAnswered(chaincodeStates(network, { channel, name }, signal), signal))?.[0];
}

/** Former definitions of a chaincode, the newest first, at most `limit`, from the first peer that answers; empty when none does. */
export async function formerDefinitions(
  network: OpenNetwork,
  { channel, name, sequence }: Pick<ChaincodeState, "channel" | "name" | "sequence">,
  limit: number,
  signal: AbortSignal,
): Promise<readonly FormerDefinition[]> {
  const sequences = Array.from({ length: Math.min(limit, sequence - 1) }, (_, index) => sequence - 1 - index);
  for (const node of peerNodes(network.definition)) {
    try {
      const client = await reachPeer(network, node, signal);
      const found = await Promise.all(
        sequences.map((each) => approvedDefinition(client, channel, { name, sequence: each })),
      );
      return found.flatMap((definition) => (definition ? [formerDefinition(definition)] : []));
    } catch (error) {
      if (signal.aborted) throw error;
    }
  }
  return [];
}

function formerDefinition(definition: ApprovedDefinition): FormerDefinition {
  const { version, sequence, endorsementPolicy, collections, packageId } = definition;
  const names = readCollectionsBytes(collections).map(({ name }) => name);
  return { version, sequence, policy: printed(endorsementPolicy), collections: names, packageId };
}

/** What one peer says about itself. */
interface Survey {
  readonly node: FabricNode;
  readonly channels: readonly string[];
  readonly installed: ReadonlySet<string>;
  /** Undefined: no daemon to look into. */
  readonly containers: readonly ChaincodeContainer[] | undefined;
  readonly problem?: string;
  readonly forbidden?: true;
}

async function survey(network: OpenNetwork, node: FabricNode, signal: AbortSignal): Promise<Survey> {
  try {
    return await eventually(() => askPeer(network, node, signal), { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    const forbidden = error instanceof FabricError && error.code === "forbidden";
    return { ...unasked(node, messageOf(error)), ...(forbidden ? { forbidden } : {}) };
  }
}

async function askPeer(network: OpenNetwork, node: FabricNode, signal: AbortSignal): Promise<Survey> {
  const problem = await podProblem(network, node, signal);
  if (problem !== undefined) return unasked(node, problem);
  const client = await reachPeer(network, node, signal);
  const [channels, installed, containers] = await Promise.all([
    peerChannels(client),
    installedChaincodes(client),
    containersIfAny(network, node, signal),
  ]);
  return { node, channels, installed: new Set(installed.map(({ packageId }) => packageId)), containers };
}

const unasked = (node: FabricNode, problem: string): Survey => ({
  node,
  channels: [],
  installed: new Set<string>(),
  containers: undefined,
  problem,
});

/** A peer may have no daemon of ours, or the user no right to look into it. */
async function containersIfAny(
  network: OpenNetwork,
  node: FabricNode,
  signal: AbortSignal,
): Promise<readonly ChaincodeContainer[] | undefined> {
  try {
    return await containersOf(network, node, signal);
  } catch (error) {
    if (signal.aborted || !(error instanceof FabricError) || error instanceof LostConnection) throw error;
    return undefined;
  }
}

function nobodyAnswers(surveys: readonly Survey[]): FabricError {
  const reasons = byReason(surveys.map(({ node, problem = "" }) => ({ about: hostOf(node), reason: problem })));
  const problems = reasons.map(({ about, reason }) => `  ${about.join(", ")}: ${reason}`).join("\n");
  return new FabricError("not-ready", `expected a peer that answers, found none:\n${problems}`, {
    hint: { operation: "status" },
  });
}

async function statesOn(
  network: OpenNetwork,
  channel: string,
  name: string | undefined,
  surveys: readonly Survey[],
  signal: AbortSignal,
): Promise<readonly ChaincodeState[]> {
  const joined = surveys.filter(({ channels }) => channels.includes(channel));
  const told = await definitionsOn(
    network,
    channel,
    joined.map(({ node }) => node),
    signal,
  );
  return Promise.all(
    told
      .filter(({ definition }) => name === undefined || definition.name === name)
      .map(async ({ definition, by }) => {
        const [committed, peers] = await Promise.all([
          committedDefinition(by, channel, definition.name),
          peersWith(network, channel, definition, surveys, signal),
        ]);
        return stateOf(channel, definition, Object.fromEntries(committed?.approvals ?? []), peers);
      }),
  );
}

function stateOf(
  channel: string,
  definition: ChaincodeDefinition,
  approvals: Readonly<Record<string, boolean>>,
  peers: readonly PeerChaincode[],
): ChaincodeState {
  const { name, version, sequence, endorsementPolicy, collections, initRequired } = definition;
  return {
    channel,
    name,
    version,
    sequence,
    policy: printed(endorsementPolicy),
    collections: readCollectionsBytes(collections),
    initRequired,
    approvals,
    peers,
  };
}

async function peersWith(
  network: OpenNetwork,
  channel: string,
  definition: ChaincodeDefinition,
  surveys: readonly Survey[],
  signal: AbortSignal,
): Promise<readonly PeerChaincode[]> {
  const organizations = network.definition.spec.peerOrganizations;
  const found = await Promise.all(
    organizations.map(async (organization) => {
      const own = surveys.filter(({ node }) => node.organization.name === organization.name);
      const [packageId, services = []] = await Promise.all([
        packageOf(network, channel, definition, own, signal),
        runningServices(network.cluster, organization, signal),
      ]);
      return nodesOf(organization).map((node) => ({
        ...peerWith(organization, node, packageId, own),
        ...(packageId === undefined ? {} : { service: serviceOf(services, node, packageId) }),
      }));
    }),
  );
  return found.flat();
}

/** The package that an organization has approved. Only its own peers know it, and one that lags behind does not know it yet. */
async function packageOf(
  network: OpenNetwork,
  channel: string,
  { name, sequence }: ChaincodeDefinition,
  surveys: readonly Survey[],
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const { node, channels } of surveys) {
    if (!channels.includes(channel)) continue;
    const approved = await approvedDefinition(await reachPeer(network, node, signal), channel, { name, sequence });
    if (approved) return approved.packageId;
  }
  return undefined;
}

function peerWith(
  { name: organization }: PeerOrganization,
  node: FabricNode,
  packageId: string | undefined,
  surveys: readonly Survey[],
): PeerChaincode {
  const seen = surveys.find((each) => hostOf(each.node) === hostOf(node));
  const peer = hostOf(node);
  if (!seen || seen.problem !== undefined) {
    const { problem, forbidden } = seen ?? {};
    return { peer, organization, packageId, installed: false, container: "unknown", problem, forbidden };
  }
  if (packageId === undefined) return { peer, organization, installed: false, container: "none" };
  const container = seen.containers === undefined ? "unknown" : (containerOf(seen.containers, packageId) ?? "none");
  return { peer, organization, packageId, installed: seen.installed.has(packageId), container };
}

/** The policy as text. A policy that names single identities or units has no text: then the reason, in brackets. */
function printed(policy: Uint8Array): string {
  try {
    return printEndorsementPolicy(policy);
  } catch (error) {
    if (error instanceof FabricError && error.code === "invalid") return `(${error.message})`;
    throw error;
  }
}
