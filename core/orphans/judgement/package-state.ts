import type { ApprovedDefinition, InstalledChaincode } from "../../fabric/chaincode/lifecycle.ts";
import type { ChaincodeDefinition } from "../../fabric/chaincode/chaincode-definition.ts";
import { inOrder } from "./order.ts";

/** What a peer and its organization have to do with a package. */
export type PackageState =
  /** A definition that is committed runs it, or one that is approved is going to. */
  | { readonly state: "needed"; readonly because: string }
  /** A definition ran it; a later one took its place. */
  | { readonly state: "superseded"; readonly because: string }
  /** On the peer, and no definition was ever seen to name it: it may be on its way. */
  | { readonly state: "uncommitted" };

/** What a peer says of one channel. */
export interface ChannelFacts {
  readonly channel: string;
  readonly committed: readonly Pick<ChaincodeDefinition, "name" | "sequence">[];
  /** What the peer's organization has approved, old sequences included. */
  readonly approved: readonly Pick<ApprovedDefinition, "name" | "sequence" | "packageId">[];
}

/**
 * Every package that a peer has or its organization has approved. A peer's own references count first; an approval counts as needed
 * from the committed sequence on: whoever has approved is about to commit, or to catch up.
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
    // The last one counts: of several sequences the newest.
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
