import { peer } from "@hyperledger/fabric-protos";
import type { Identity } from "../../msp/msp.ts";
import { satisfies, type Policy } from "../../policy/policy.ts";
import { dial } from "../../transport/tls.ts";
import { isSystemChaincode, type Endorser } from "../endorser.ts";
import { endorsementPolicy } from "../lifecycle/endorsement-policy.ts";
import type { Member, Membership } from "../membership.ts";
import type { PeerChannel } from "../peer-channel.ts";

/** A peer that can be asked to endorse. */
export interface EndorsingPeer {
  readonly endpoint: string;
  readonly mspId: string;
  readonly identity: Uint8Array;
  readonly isLocal: boolean;
  process(proposal: peer.SignedProposal, timeoutMilliseconds: number): Promise<peer.ProposalResponse>;
}

/** The peers of a channel as the gateway uses them (internal/pkg/gateway/registry.go). */
export class PeerDirectory {
  readonly #membership: Membership;
  readonly #endorser: Endorser;
  readonly #clients = new Map<string, peer.EndorserClient>();

  constructor(membership: Membership, endorser: Endorser) {
    this.#membership = membership;
    this.#endorser = endorser;
  }

  /** Those that have the chaincode, highest ledger first, and among equals the local one first. */
  endorsers(channel: PeerChannel, chaincodeName: string): readonly EndorsingPeer[] {
    const { channelId } = channel;
    const [self] = this.#membership.membersOf(channelId);
    const height = (member: Member): number => member.channels[channelId]?.height ?? 0;
    return [...this.#membership.membersOf(channelId)]
      .filter(
        (member) =>
          isSystemChaincode(chaincodeName) || member.channels[channelId]?.chaincodes.includes(chaincodeName) === true,
      )
      .sort((one, other) => height(other) - height(one) || Number(other === self) - Number(one === self))
      .map((member, _, all) => this.#endorsingPeer(member, member.endpoint === self?.endpoint && all.length > 0));
  }

  /** As `endorsers`, asking the other peers once more when too little is known. */
  async endorsersOnce<T>(find: () => T | undefined): Promise<T | undefined> {
    const found = find();
    if (found !== undefined) {
      return found;
    }
    await this.#membership.refresh();
    return find();
  }

  close(): void {
    this.#clients.forEach((client) => client.close());
  }

  #endorsingPeer(member: Member, isLocal: boolean): EndorsingPeer {
    const { endpoint, mspId, identity } = member;
    return {
      endpoint,
      mspId,
      identity,
      isLocal,
      process: isLocal
        ? (proposal) => this.#endorser.process(proposal)
        : (proposal, timeout) => this.#processAt(member, proposal, timeout),
    };
  }

  #processAt(member: Member, proposal: peer.SignedProposal, timeout: number): Promise<peer.ProposalResponse> {
    return new Promise((resolve, reject) => {
      this.#client(member).processProposal(proposal, { deadline: Date.now() + timeout }, (error, response) =>
        error === null && response !== undefined ? resolve(response) : reject(error ?? new Error("no response")),
      );
    });
  }

  #client({ endpoint, mspId }: Member): peer.EndorserClient {
    const roots = this.#membership.tlsRootsOf(mspId);
    const key = `${endpoint} ${roots.join("")}`;
    const { credentials, options } = dial(endpoint, roots);
    const client = this.#clients.get(key) ?? new peer.EndorserClient(endpoint, credentials, options);
    this.#clients.set(key, client);
    return client;
  }
}

/** The policies that endorsements of these chaincodes and collections must satisfy; throws when one is unknown. */
export function policiesOf(channel: PeerChannel, calls: readonly peer.ChaincodeCall[]): readonly Policy[] {
  const { config, ledger } = channel;
  return calls.flatMap((call) => {
    const [collection] = call.getCollectionNamesList();
    return [endorsementPolicy(call.getName(), collection, config, ledger.state)];
  });
}

/** The smallest set of peers, preferring the first ones, whose endorsements satisfy all policies (discovery/endorsement in Fabric). */
export function chooseEndorsers(
  candidates: readonly EndorsingPeer[],
  policies: readonly Policy[],
  identityOf: (bytes: Uint8Array) => Identity,
): readonly EndorsingPeer[] | undefined {
  const enough = (chosen: readonly EndorsingPeer[]): boolean => {
    const identities = chosen.map(({ identity }) => identityOf(identity));
    return policies.every((policy) => satisfies(policy, identities));
  };
  for (let size = 1; size <= candidates.length; size++) {
    for (const chosen of combinations(candidates, size)) {
      if (enough(chosen)) {
        return chosen;
      }
    }
  }
  return undefined;
}

function* combinations<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (const [index, item] of items.entries()) {
    for (const rest of combinations(items.slice(index + 1), size - 1)) {
      yield [item, ...rest];
    }
  }
}
