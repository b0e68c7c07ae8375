import { FabricError } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import { readableBuildFailure } from "../../fabric/chaincode/build-log.ts";
import type { ChaincodeDefinition } from "../../fabric/chaincode/chaincode-definition.ts";
import { isStateRace } from "../../fabric/node/gateway-error.ts";
import {
  approveDefinition,
  approvedDefinition,
  commitDefinition,
  commitReadiness,
  type CommitReadiness,
  committedDefinition,
  installChaincode,
  installedChaincodes,
  isSequenceTaken,
} from "../../fabric/chaincode/lifecycle.ts";
import type { NodeClient } from "../../fabric/node/node-client.ts";
import { reachGateway, reachPeer } from "../../network/session/reach.ts";
import { hostOf, type FabricNode } from "../../network/resources/nodes.ts";
import { aMinute } from "../../engine/eventually.ts";
import type { ActingStep, Patience, Requirement, Step, Waiting } from "../../engine/step.ts";
import type { Deployment, Target } from "../deployment/deployment.ts";
import { checkPunctual, isAbsence } from "../deployment/late-peer.ts";
import { asAnother, disagreementOf, otherTerms, termsIn, waysOn } from "../deployment/disagreement.ts";
import { agree, described } from "../deployment/next-definition.ts";
import { peerStep, speaker } from "./peer-step.ts";

/** A peer has the package, and has built it. */
export function installStep(
  { network }: Pick<Deployment, "network">,
  target: Target,
  node: FabricNode,
  after: readonly Step[],
): ActingStep {
  const { pkg } = target;
  return {
    id: `install/${hostOf(node)}`,
    title: `${hostOf(node)} has installed ${shortId(pkg.id)}`,
    after,
    async observe({ signal }) {
      await checkPunctual(network, target, node, signal);
      const installed = await installedChaincodes(await reachPeer(network, node, signal));
      return installed.some(({ packageId }) => packageId === pkg.id)
        ? { is: "so" }
        : { is: "differs", change: `package ${shortId(pkg.id)}` };
    },
    async act({ signal, progress }) {
      const client = await reachPeer(network, node, signal);
      const loaded = await pkg.load(signal);
      progress("the peer builds it");
      try {
        await installChaincode(client, loaded);
      } catch (error) {
        throw readableBuildFailure(error);
      }
      return `package of ${kilobytes(loaded.bytes)}`;
    },
  };
}

/** An organization has approved the definition and runs the package. A peer that is absent does not keep it from that. */
export function approveStep(
  { network, channel, definition, patience }: Deployment,
  target: Target,
  after: readonly Step[],
): Step {
  const { organization, pkg } = target;
  return peerStep(network, {
    id: `approve/${organization.name}`,
    title: `${organization.name} has approved ${described(definition)}`,
    after,
    despite: isAbsence,
    podPatience: patience,
    patience: patiently,
    peer: (signal) => speaker(network, target, signal),
    at: (node) => ({
      async observe({ signal }) {
        const approved = await approvedDefinition(await reachPeer(network, node, signal), channel, definition);
        const done = approved !== undefined && agree(approved, definition) && approved.packageId === pkg.id;
        return done ? { is: "so" } : { is: "differs", change: `with package ${shortId(pkg.id)}` };
      },
      async act({ signal }) {
        const { gateway } = await reachGateway(network, node, signal);
        await racing(approveDefinition(gateway, channel, organization.mspId, definition, pkg.id));
      },
    }),
  });
}

/**
 * The channel has committed the definition. While too few organizations have approved it, the step ends as `required` of the others
 * (`not-ready`).
 */
export function commitStep(deployment: Deployment, after: readonly Step[]): Step {
  const { network, channel, definition, targets, patience } = deployment;
  const [first] = targets;
  if (!first) throw new FabricError("internal", "a deployment without organizations");
  let byOthers = false;
  /** Undefined where another command has committed a definition of this sequence. */
  const unlessTaken = async <T>(answer: Promise<T>): Promise<T | undefined> => {
    try {
      return await answer;
    } catch (error) {
      if (!isSequenceTaken(error, definition.sequence)) throw error;
      byOthers = true;
      return undefined;
    }
  };
  return peerStep(network, {
    id: "commit",
    title: `${channel} has committed ${described(definition)}`,
    after,
    podPatience: patience,
    patience: patiently,
    peer: (signal) => speaker(network, first, signal),
    at: (node) => ({
      async observe({ signal }) {
        const client = await reachPeer(network, node, signal);
        const committed = await committedDefinition(client, channel, definition.name);
        if (committed && agree(committed, definition))
          return { is: "so", ...(byOthers ? { byOthers, detail: "another command has committed it" } : {}) };
        if (committed && committed.sequence >= definition.sequence) throw overtaken(channel, definition, committed);
        if (byOthers) return notReceived(node, definition);
        const readiness = await unlessTaken(commitReadiness(client, channel, definition));
        if (!readiness) return notReceived(node, definition);
        return (
          lackingApprovals(deployment, client, readiness) ??
          (await requiredApprovals(deployment, readiness, signal)) ?? { is: "differs", change }
        );
      },
      async act({ signal, progress }) {
        const client = await reachGateway(network, node, signal);
        const readiness = await unlessTaken(commitReadiness(client, channel, definition));
        if (!readiness) return notReceived(node, definition);
        const approved = approvedBy(readiness);
        const open = openApprovals(readiness);
        progress(`approved by ${approved.join(", ")}${open.length > 0 ? `; not by ${open.join(", ")}` : ""}`);
        const submitted = racing(commitDefinition(client.gateway, channel, approved, definition));
        if ((await unlessTaken(submitted.then(() => true))) === undefined) return notReceived(node, definition);
        const rest = open.length > 0 ? `; still to approve: ${open.join(", ")}` : "";
        return `approved by ${approved.join(", ")}${rest}`;
      },
    }),
  });
}

const change = "endorsed by all that approved";

/** What to wait for while the peer lacks the block of one of our approvals: a commit without that approval would fail the policy. */
function lackingApprovals(
  { channel, definition, targets }: Deployment,
  { connection }: NodeClient,
  readiness: CommitReadiness,
): Waiting | undefined {
  const missing = targets.filter(({ organization }) => readiness.approvals.get(organization.mspId) !== true);
  if (missing.length === 0) return undefined;
  const names = missing.map(({ organization }) => organization.name).join(", ");
  const hint: Remedy = [
    { operation: "chaincode inspect", of: definition.name, with: { channel } },
    " shows who has approved what",
  ];
  return { is: "waiting", missing: `${connection.name} has no approval of ${names} yet`, hint, change };
}

/** The requirement that other organizations approve first; undefined when there are enough approvals. */
async function requiredApprovals(
  deployment: Deployment,
  readiness: CommitReadiness,
  signal: AbortSignal,
): Promise<Requirement | undefined> {
  if (deployment.enough?.(new Set(approvedBy(readiness))) !== false) return undefined;
  return {
    is: "required",
    of: openApprovals(readiness).join(", "),
    failure: await tooFew(deployment, readiness, signal),
  };
}

/** Another command has committed this sequence: the peer tells what it is once it has that block. */
const notReceived = (node: FabricNode, definition: ChaincodeDefinition): Waiting => ({
  is: "waiting",
  missing: `${hostOf(node)} has not yet received ${described(definition)}`,
  hint: ["type the same command again when it has: ", { operation: "status" }, " shows how far each peer is"],
});

function overtaken(
  channel: string,
  wanted: ChaincodeDefinition,
  found: ChaincodeDefinition,
  cause?: unknown,
): FabricError {
  return new FabricError(
    "conflict",
    `expected ${channel} to commit ${described(wanted)}, found ${described(found)} committed meanwhile`,
    { hint: "type the same command again: it goes on from there, with the next sequence", cause },
  );
}

const approvedBy = ({ approvals }: CommitReadiness): readonly string[] =>
  [...approvals].filter(([, yes]) => yes).map(([mspId]) => mspId);

function openApprovals({ approvals, mismatches, silent }: CommitReadiness): readonly string[] {
  return [...approvals]
    .filter(([, yes]) => !yes)
    .map(([mspId]) => {
      const terms = termsIn(mismatches.get(mspId) ?? []);
      if (terms.length > 0) return `${mspId} (has approved ${otherTerms(terms)})`;
      return silent.has(mspId) ? `${mspId} (has approved nothing)` : mspId;
    });
}

async function tooFew(deployment: Deployment, readiness: CommitReadiness, signal: AbortSignal): Promise<FabricError> {
  const { network, channel, definition, targets, deploymentBy } = deployment;
  const { peerOrganizations } = network.definition.spec;
  const approved = approvedBy(readiness).join(", ") || "none";
  const message =
    `expected more approvals of ${described(definition)} on ${channel}, found those of ${approved}; ` +
    `still to approve: ${openApprovals(readiness).join(", ")}`;
  const open = peerOrganizations.filter(({ mspId }) => readiness.approvals.get(mspId) === false);
  // An organization that has approved nothing has no other terms: it only has to approve these.
  const next = open.find(({ mspId }) => readiness.silent.has(mspId)) ?? open[0];
  if (!next) return new FabricError("not-ready", message);
  const other = await disagreementOf(deployment, next.mspId, readiness, signal);
  const hint = other
    ? waysOn(other, targets[0]?.organization.name ?? next.name, deploymentBy)
    : asAnother(next.name, deploymentBy);
  return new FabricError("not-ready", message, { hint });
}

/** A peer knows the committed definition: its next call runs the new chaincode. */
export function runningStep(
  { network, channel, definition }: Deployment,
  node: FabricNode,
  after: readonly Step[],
): Step {
  const committed = async (signal: AbortSignal) => {
    return committedDefinition(await reachPeer(network, node, signal), channel, definition.name);
  };
  return {
    id: `running/${hostOf(node)}`,
    title: `${hostOf(node)} knows ${described(definition)}`,
    after,
    async observe({ signal }) {
      const found = await committed(signal);
      if (found && agree(found, definition)) return { is: "so" };
      if (found && found.sequence > definition.sequence) throw overtaken(channel, definition, found);
      const missing = `${hostOf(node)} has not yet received the definition`;
      const hint: Remedy = [{ operation: "status" }, " shows how far each peer is"];
      return { is: "waiting", missing, change: "wait for the block", hint };
    },
  };
}

/**
 * It is tried again while peers of different organizations have not found each other by gossip, there is no Raft leader, two organizations
 * wrote at once (MVCC_READ_CONFLICT), or a peer lacks a block. For a minute: the cause may also be permanent (no anchor peers, no quorum),
 * and the failure's hint says what to look at.
 */
export const patiently: Patience = { with: ["not-ready", "connection"], within: aMinute };

/** Awaits a transaction. Throws `not-ready` when another transaction has come between. */
export async function racing<T>(submitted: Promise<T>): Promise<T> {
  try {
    return await submitted;
  } catch (error) {
    if (!isStateRace(error)) throw error;
    const { message, hint } = error;
    throw new FabricError("not-ready", message, { hint, cause: error });
  }
}

const kilobytes = ({ length }: Uint8Array): string => `${Math.ceil(length / 1024)} KiB`;

/** `label:` and the first 12 digits, as Docker shortens. */
export function shortId(packageId: string): string {
  const [label, hash = ""] = packageId.split(":");
  return `${label}:${hash.slice(0, 12)}`;
}
