import type { ApprovedDefinition, InstalledChaincode } from "../../fabric/chaincode/lifecycle.ts";
import type { ChaincodeDefinition } from "../../fabric/chaincode/chaincode-definition.ts";
import { inOrder } from "./order.ts";

/** How a peer and its organization use a package. */
export type PackageState =
  /** A committed definition runs it, or an approved one will. */
  | { readonly state: "needed"; readonly because: string }
  /** An earlier sequence of a definition ran it; a later sequence has replaced it. */
  | { readonly state: "superseded"; readonly because: string }
  /** It is on the peer, but in no definition that we see: its deployment may be running. */
  | { readonly state: "uncommitted" };

/** A peer's facts about one channel. */
export interface ChannelFacts {
  readonly channel: string;
  readonly committed: readonly Pick<ChaincodeDefinition, "name" | "sequence">[];
  /** The approvals of the peer's organization, also of old sequences. */
  readonly approved: readonly Pick<ApprovedDefinition, "name" | "sequence" | "packageId">[];
}

/**
 * The state of every package that a peer has or its organization has approved. The peer's own references decide first. An approval of
 * the committed sequence or a later one makes a package needed: the organization is about to commit, or the peer to catch up.
 */
export function packageStates(
  installed: readonly InstalledChaincode[],
  channels: readonly ChannelFacts[],
): ReadonlyMap<string, PackageState> {
  const packages = inOrder(installed, ({ packageId }) => packageId);
  const states = new Map<string, PackageState>(packages.map(({ packageId }) => [packageId, { state: "uncommitted" }]));
  for (const { channel, committed, approved } of inOrder(channels, (facts) => facts.channel)) {
    const bySequence = inOrder(
      approved,
      ({ name }) => name,
      ({ sequence }) => String(sequence).padStart(20, "0"),
      ({ packageId = "" }) => packageId,
    );
    // In this order the newest sequence comes last, and decides.
    for (const { name, sequence, packageId } of bySequence) {
      if (packageId === undefined) continue;
      const current = committed.find((definition) => definition.name === name)?.sequence ?? 0;
      const state = approvalState({ channel, name, sequence }, current);
      if (state.state === "needed" || states.get(packageId)?.state !== "needed") states.set(packageId, state);
    }
  }
  for (const { packageId, references } of packages) {
    const [first] = inOrder(
      references,
      ({ channel }) => channel,
      ({ name }) => name,
    );
    if (first) states.set(packageId, { state: "needed", because: `${first.channel} runs it as ${first.name}` });
  }
  return states;
}

interface Approval {
  readonly channel: string;
  readonly name: string;
  readonly sequence: number;
}

function approvalState({ channel, name, sequence }: Approval, committed: number): PackageState {
  if (sequence > committed) {
    return { state: "needed", because: `approved for ${name} on ${channel}, sequence ${sequence}, not yet committed` };
  }
  if (sequence === committed) return { state: "needed", because: `approved for ${name} on ${channel}` };
  return {
    state: "superseded",
    because: `${name} on ${channel} ran it at sequence ${sequence}, and is at ${committed}`,
  };
}
