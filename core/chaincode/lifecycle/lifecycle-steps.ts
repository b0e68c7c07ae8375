import { FabricError } from "../../error.ts";
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
import { reachGateway, reachPeer } from "../../network/session/reach.ts";
import { hostOf, type FabricNode } from "../../network/resources/nodes.ts";
import { aMinute, eventually } from "../../engine/eventually.ts";
import type { Step, StepContext } from "../../engine/step.ts";
import type { Deployment, Target } from "../deployment/deployment.ts";
import { checkPunctual, isAbsence } from "../deployment/late-peer.ts";
import { disagreementOf, otherTerms, termsIn, waysOn } from "../deployment/disagreement.ts";
import { agree, described } from "../deployment/next-definition.ts";
import { peerStep, speaker } from "./peer-step.ts";

/** A peer has the package, and has built it. */
export function installStep(
  { network }: Pick<Deployment, "network">,
  target: Target,
  node: FabricNode,
  after: readonly string[],
): Step {
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
  after: readonly string[],
): Step {
  const { organization, pkg } = target;
  return peerStep(network, {
    id: `approve/${organization.name}`,
    title: `${organization.name} has approved ${described(definition)}`,
    after,
    despite: isAbsence,
    patience,
    peer: (signal) => speaker(network, target, signal),
    at: (node) => ({
      async observe({ signal }) {
        const approved = await approvedDefinition(await reachPeer(network, node, signal), channel, definition);
        const done = approved !== undefined && agree(approved, definition) && approved.packageId === pkg.id;
        return done ? { is: "so" } : { is: "differs", change: `with package ${shortId(pkg.id)}` };
      },
      async act({ signal }) {
        const { gateway } = await reachGateway(network, node, signal);
        const approve = () => approveDefinition(gateway, channel, organization.mspId, definition, pkg.id);
        await patiently(approve, signal);
      },
    }),
  });
}

/** The channel has the definition. Fails with `not-ready` while too few organizations have approved it. */
export function commitStep(deployment: Deployment, after: readonly string[]): Step {
  const { network, channel, definition, targets, patience } = deployment;
  const [first] = targets;
  if (!first) throw new FabricError("internal", "a deployment without organizations");
  return peerStep(network, {
    id: "commit",
    title: `${channel} has committed ${described(definition)}`,
    after,
    patience,
    peer: (signal) => speaker(network, first, signal),
    at: (node) => ({
      async observe({ signal }) {
        const committed = await committedDefinition(await reachPeer(network, node, signal), channel, definition.name);
        return committed && agree(committed, definition)
          ? { is: "so" }
          : { is: "differs", change: "endorsed by all that approved" };
      },
      async act(context) {
        try {
          return await commit(deployment, node, context);
        } catch (error) {
          if (!isSequenceTaken(error, definition.sequence)) throw error;
          return { unchanged: await committedByAnother(deployment, node, error, context) };
        }
      },
    }),
  });
}

async function commit(deployment: Deployment, node: FabricNode, { signal, progress }: StepContext): Promise<string> {
  const { network, channel, definition, targets } = deployment;
  const client = await reachGateway(network, node, signal);
  // This peer may still lack the block of another organization's approval; a commit without it would fail the policy.
  const settled = async () => {
    const readiness = await commitReadiness(client, channel, definition);
    const missing = targets.filter(({ organization }) => readiness.approvals.get(organization.mspId) !== true);
    if (missing.length === 0) return readiness;
    const names = missing.map(({ organization }) => organization.name).join(", ");
    const hint = `kubectl fabric chaincode inspect ${definition.name} --channel ${channel} shows who has approved what`;
    throw new FabricError("not-ready", `${client.connection.name} has no approval of ${names} yet`, { hint });
  };
  const readiness = await eventually(settled, { signal, retry: ["not-ready"] });
  const approved = approvedBy(readiness);
  const open = openApprovals(readiness);
  progress(`approved by ${approved.join(", ")}${open.length > 0 ? `; not by ${open.join(", ")}` : ""}`);
  if (deployment.enough?.(new Set(approved)) === false) throw await tooFew(deployment, readiness, signal);
  await patiently(() => commitDefinition(client.gateway, channel, approved, definition), signal);
  const rest = open.length > 0 ? `; still to approve: ${open.join(", ")}` : "";
  return `approved by ${approved.join(", ")}${rest}`;
}

/** What it comes to that the sequence is taken, as this peer tells once it has that block. Throws `conflict` when it is another definition. */
async function committedByAnother(
  { network, channel, definition }: Deployment,
  node: FabricNode,
  cause: unknown,
  { signal, progress }: StepContext,
): Promise<string> {
  progress(`another command has committed sequence ${definition.sequence}: ${hostOf(node)} receives its block`);
  const look = async () => {
    const committed = await committedDefinition(await reachPeer(network, node, signal), channel, definition.name);
    if (committed && committed.sequence >= definition.sequence) return committed;
    const hint = "type the same command again when it has: kubectl fabric status shows how far each peer is";
    throw new FabricError("not-ready", `${hostOf(node)} has not yet received ${described(definition)}`, {
      hint,
      cause,
    });
  };
  const committed = await received(look, signal);
  if (agree(committed, definition)) return "another command has committed it";
  throw overtaken(channel, definition, committed, cause);
}

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
  const { network, channel, definition, targets, commandFor } = deployment;
  const { peerOrganizations } = network.definition.spec;
  const approved = approvedBy(readiness).join(", ") || "none";
  const message =
    `expected more approvals of ${described(definition)} on ${channel}, found those of ${approved}; ` +
    `still to approve: ${openApprovals(readiness).join(", ")}`;
  const open = peerOrganizations.filter(({ mspId }) => readiness.approvals.get(mspId) === false);
  // Whoever has approved nothing has only to follow.
  const next = open.find(({ mspId }) => readiness.silent.has(mspId)) ?? open[0];
  if (!next) return new FabricError("not-ready", message);
  const other = await disagreementOf(deployment, next.mspId, readiness, signal);
  const hint = other
    ? waysOn(other, targets[0]?.organization.name ?? next.name, commandFor)
    : `the administrator of ${next.name} types: ${commandFor(next.name)}`;
  return new FabricError("not-ready", message, { hint });
}

/** A peer knows the committed definition: its next call runs the new chaincode. */
export function runningStep(
  { network, channel, definition }: Deployment,
  node: FabricNode,
  after: readonly string[],
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
      return found && agree(found, definition) ? { is: "so" } : { is: "differs", change: "wait for the block" };
    },
    async act({ signal }) {
      const look = async () => {
        const found = await committed(signal);
        if (found && agree(found, definition)) return;
        if (found && found.sequence > definition.sequence) throw overtaken(channel, definition, found);
        const hint = "kubectl fabric status shows how far each peer is";
        throw new FabricError("not-ready", `${hostOf(node)} has not yet received the definition`, { hint });
      };
      await eventually(look, { signal, retry: ["not-ready"] });
    },
  };
}

/**
 * Again while peers of different organizations have not found each other by gossip, there is no Raft leader, two
 * organizations wrote at once (MVCC_READ_CONFLICT), or one's peer lacks a block: by status, never by sleeping and hoping.
 * For a minute: it may as well be for good (no anchor peers, no quorum), and its hint says what to look at.
 */
export function patiently<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const retriable = async () => {
    try {
      return await attempt();
    } catch (error) {
      if (!isStateRace(error)) throw error;
      const { message, hint } = error;
      throw new FabricError("not-ready", message, { hint, cause: error });
    }
  };
  return eventually(retriable, { signal, within: aMinute, retry: ["not-ready", "connection"] });
}

/**
 * Waits for a block that a peer is to receive, `not-ready` until then, as long as the command does. For a connection that is lost only
 * a minute: the peer's Pod may have gone (peer-step.ts).
 */
export function received<T>(look: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const connected = () => eventually(look, { signal, within: aMinute, retry: ["connection"] });
  return eventually(connected, { signal, retry: ["not-ready"] });
}

const kilobytes = ({ length }: Uint8Array): string => `${Math.ceil(length / 1024)} KiB`;

/** `label:` and the first 12 digits, as Docker shortens. */
export function shortId(packageId: string): string {
  const [label, hash = ""] = packageId.split(":");
  return `${label}:${hash.slice(0, 12)}`;
}
