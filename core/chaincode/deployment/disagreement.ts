import { FabricError } from "../../error.ts";
import { joined, type Remedy } from "../../remedy.ts";
import type { ChaincodeDefinition } from "../../fabric/chaincode/chaincode-definition.ts";
import { readCollectionsBytes } from "../../fabric/chaincode/collections-reading.ts";
import { printEndorsementPolicy } from "../../fabric/policy/endorsement-policy.ts";
import {
  approvedDefinition,
  commitReadiness,
  type ApprovedDefinition,
  type ApprovedPart,
  type CommitReadiness,
} from "../../fabric/chaincode/lifecycle.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import type { NodeClient } from "../../fabric/node/node-client.ts";
import { reachPeer } from "../../network/session/reach.ts";
import { nodesOf } from "../../network/resources/nodes.ts";
import type { Deployment } from "./deployment.ts";
import type { OtherTerms } from "./deploy-operation.ts";
import type { DeployRequest } from "./deploy-request.ts";

/** What organizations may disagree on in a definition. */
export type Term = "version" | "init" | "policy" | "collections";

/** An organization that has approved something else of the same sequence. */
export interface Disagreement {
  /** Its name in the network, or its MSP ID. */
  readonly organization: string;
  readonly terms: readonly Term[];
  /** What it has approved, where its peer could be asked. */
  readonly approved: ApprovedDefinition | undefined;
}

type Proposed = Pick<Deployment, "network" | "channel" | "definition">;

/**
 * Organizations that have approved another definition at this sequence. Those of `own` (MSP IDs) are left out: they are about to approve
 * this one. Fabric 3 names the parts that differ. Their values only a peer of that organization tells, and the user may have no right to
 * ask it.
 */
export async function disagreements(
  { network, channel, definition }: Proposed,
  own: readonly string[],
  client: NodeClient,
  signal: AbortSignal,
): Promise<readonly Disagreement[]> {
  const readiness = await commitReadiness(client, channel, definition);
  const others = [...readiness.approvals].filter(([mspId, yes]) => !yes && !own.includes(mspId));
  const found = await Promise.all(
    others.map(([mspId]) => disagreementOf({ network, channel, definition }, mspId, readiness, signal)),
  );
  return found.filter((one) => one !== undefined);
}

/** The same of one organization; undefined when it has approved nothing, or nobody can tell. */
export async function disagreementOf(
  { network, channel, definition }: Proposed,
  mspId: string,
  { mismatches, silent }: CommitReadiness,
  signal: AbortSignal,
): Promise<Disagreement | undefined> {
  if (silent.has(mspId)) return undefined;
  const organization = network.definition.spec.peerOrganizations.find((one) => one.mspId === mspId)?.name ?? mspId;
  const approved = await approvalOf(network, channel, definition, mspId, signal);
  const terms = approved ? differences(approved, definition) : termsIn(mismatches.get(mspId) ?? []);
  return terms.length === 0 ? undefined : { organization, terms, approved };
}

/** What Fabric's names of parts mean to a user. */
export const termsIn = (parts: readonly ApprovedPart[]): readonly Term[] => parts.flatMap((part) => termsOf[part]);

const termsOf = {
  EndorsementInfo: ["version", "init"],
  ValidationInfo: ["policy"],
  Collections: ["collections"],
} as const satisfies Record<ApprovedPart, readonly Term[]>;

/** What another organization has approved, as one of its own peers says. Undefined when it has approved nothing, or no peer tells us. */
export async function approvalOf(
  network: OpenNetwork,
  channel: string,
  { name, sequence }: ChaincodeDefinition,
  mspId: string,
  signal: AbortSignal,
): Promise<ApprovedDefinition | undefined> {
  const organization = network.definition.spec.peerOrganizations.find((one) => one.mspId === mspId);
  if (!organization) return undefined;
  for (const node of nodesOf(organization)) {
    try {
      return await approvedDefinition(await reachPeer(network, node, signal), channel, { name, sequence });
    } catch (error) {
      if (signal.aborted || !(error instanceof FabricError)) throw error;
    }
  }
  return undefined;
}

/** Where two definitions of the same sequence differ. */
function differences(left: ChaincodeDefinition, right: ChaincodeDefinition): readonly Term[] {
  const same: Readonly<Record<Term, boolean>> = {
    version: left.version === right.version,
    init: left.initRequired === right.initRequired,
    policy: Buffer.compare(left.endorsementPolicy, right.endorsementPolicy) === 0,
    collections: Buffer.compare(left.collections, right.collections) === 0,
  };
  return (Object.keys(same) as Term[]).filter((term) => !same[term]);
}

/** Whether the user has set this term. Terms that the user has not set stay as they are on the channel, or are Fabric's defaults. */
function isSaid(request: DeployRequest, term: Term): boolean {
  if (request.rollbackTo !== undefined) return true;
  const said = {
    version: request.version,
    init: request.initRequired,
    policy: request.policy,
    collections: request.collections,
  };
  return said[term] !== undefined;
}

/**
 * Throws `conflict` when another organization has approved other terms, unless the user has set each of these terms: else this approval, or
 * a request to the other organization to follow it, is probably a mistake. With terms that the user has set, the difference is only a
 * notice.
 */
export function checkAgreed(
  { definition, channel, deploymentBy }: Pick<Deployment, "definition" | "channel" | "deploymentBy">,
  request: DeployRequest,
  own: string,
  found: readonly Disagreement[],
): void {
  const [first] = found;
  if (!first) return;
  const differs = found.map((one) => `${one.organization} has approved ${toldOf(one, definition)}`).join("; ");
  const what = `${definition.name} at sequence ${definition.sequence} on ${channel}`;
  if (found.every(({ terms }) => terms.every((term) => isSaid(request, term)))) {
    request.notice?.(`of ${what} ${differs}`);
    return;
  }
  throw new FabricError("conflict", `expected one definition of ${what}, found two: ${differs}`, {
    hint: waysOn(first, own, deploymentBy),
  });
}

/** Both ways to go on: this organization takes the other one's terms, or the other one takes these. */
export function waysOn(
  { organization, terms, approved }: Disagreement,
  own: string,
  deploymentBy: Deployment["deploymentBy"],
): Remedy {
  const said = terms.map((term) => settings[term]);
  const theirs = approved
    ? (["with its terms: ", deploymentBy(own, termsFrom(approved, terms))] as const)
    : joined([`the same command with what ${organization} has said (`, joined(said, ", "), ")"]);
  return joined([theirs, "\n      or first ", asAnother(organization, deploymentBy)]);
}

/** What is for the administrator of another organization to do, with a kubeconfig of their own. */
export const asAnother = (organization: string, deploymentBy: Deployment["deploymentBy"]): Remedy => [
  `the administrator of ${organization} types: `,
  { ...deploymentBy(organization), elsewhere: true },
];

const settings = {
  version: { setting: "version" },
  init: [{ setting: "initRequired" }, " or ", { setting: "initRequired", to: false }],
  policy: { setting: "policy" },
  collections: { setting: "collections" },
} as const satisfies Record<Term, Remedy>;

function termsFrom(approved: ApprovedDefinition, terms: readonly Term[]): OtherTerms {
  return {
    ...(terms.includes("version") ? { version: approved.version } : {}),
    ...(terms.includes("init") ? { initRequired: approved.initRequired } : {}),
    ...(terms.includes("policy") ? { policy: printedPolicy(approved) ?? "POLICY" } : {}),
    // Only the other administrator has the file.
    ...(terms.includes("collections") ? { collections: "FILE" } : {}),
  };
}

/** What an organization has approved instead: "the collections appraisals instead of none". */
function toldOf({ terms, approved }: Disagreement, definition: ChaincodeDefinition): string {
  if (!approved) return otherTerms(terms);
  return terms
    .map((term) => `${saidOf(term, approved)} instead of ${saidOf(term, definition).replace(/^\w+ /, "")}`)
    .join(", ");
}

/** Only the names of the terms that differ: "another version or init, other collections". */
export function otherTerms(terms: readonly Term[]): string {
  const either = terms.includes("version") && terms.includes("init");
  const words = terms.map((term) => (term === "collections" ? "other collections" : `another ${term}`));
  return (either ? ["another version or init", ...words.slice(2)] : words).join(", ");
}

function saidOf(term: Term, definition: ChaincodeDefinition): string {
  switch (term) {
    case "version":
      return `version ${definition.version}`;
    case "init":
      return `init ${definition.initRequired ? "required" : "not required"}`;
    case "policy":
      return `policy ${printedPolicy(definition) ?? "of other principals than roles"}`;
    case "collections":
      return `collections ${
        readCollectionsBytes(definition.collections)
          .map(({ name }) => name)
          .join(", ") || "none"
      }`;
  }
}

/** Undefined for a policy that names single identities or units: text cannot say it. */
function printedPolicy({ endorsementPolicy }: ChaincodeDefinition): string | undefined {
  try {
    return printEndorsementPolicy(endorsementPolicy);
  } catch (error) {
    if (error instanceof FabricError && error.code === "invalid") return undefined;
    throw error;
  }
}
