import { FabricError } from "../error.ts";
import type { ChaincodeDefinition } from "../fabric/chaincode-definition.ts";
import type { ChaincodePackage } from "../fabric/chaincode-package.ts";
import { isReadConflict } from "../fabric/gateway-error.ts";
import {
  approveDefinition,
  approvedDefinition,
  commitDefinition,
  commitReadiness,
  committedDefinition,
  installChaincode,
  installedChaincodes,
} from "../fabric/lifecycle.ts";
import type { OpenNetwork } from "../network/open-network.ts";
import { reachOrganization, reachPeer } from "../network/reach.ts";
import { hostOf, type FabricNode, type Organization, type PeerOrganization } from "../network/spec.ts";
import { eventually } from "../steps/eventually.ts";
import type { Step } from "../steps/step.ts";
import { agree } from "./next-definition.ts";

/** One chaincode on its way to one channel. */
export interface Deployment {
  readonly network: OpenNetwork;
  readonly channel: string;
  /** What an organization's peers run: as a service each organization has a package of its own, with its own address. */
  readonly packageFor: (organization: Organization) => ChaincodePackage;
  readonly definition: ChaincodeDefinition;
  readonly organizations: readonly PeerOrganization[];
}

/** A peer has the package, and has built it. */
export function installStep({ network, packageFor }: Deployment, node: FabricNode, after: readonly string[]): Step {
  const pkg = packageFor(node.organization);
  return {
    id: `install/${hostOf(node)}`,
    title: `${hostOf(node)} has installed ${shortId(pkg.id)}`,
    after,
    async observe({ signal }) {
      const { connection, identity } = await reachPeer(network, node, signal);
      const installed = await installedChaincodes(connection, identity, { signal });
      return installed.some(({ packageId }) => packageId === pkg.id)
        ? { done: true }
        : { done: false, change: `package of ${kilobytes(pkg.bytes)}` };
    },
    async act({ signal, progress }) {
      const { connection, identity } = await reachPeer(network, node, signal);
      progress("the peer builds it");
      await installChaincode(connection, identity, pkg, { signal });
    },
  };
}

/** An organization has approved the definition and runs the package. */
export function approveStep(
  { network, channel, packageFor, definition }: Deployment,
  organization: PeerOrganization,
  after: readonly string[],
): Step {
  const pkg = packageFor(organization);
  return {
    id: `approve/${organization.name}`,
    title: `${organization.name} has approved ${described(definition)}`,
    after,
    async observe({ signal }) {
      const { connection, identity } = await reachOrganization(network, organization, signal);
      const approved = await approvedDefinition(connection, identity, channel, definition, { signal });
      const done = approved !== undefined && agree(approved, definition) && approved.packageId === pkg.id;
      return done ? { done: true } : { done: false, change: `with package ${shortId(pkg.id)}` };
    },
    async act({ signal }) {
      const { gateway } = await reachOrganization(network, organization, signal);
      const approve = () => approveDefinition(gateway, channel, organization.mspId, definition, pkg.id, { signal });
      await patiently(approve, signal);
    },
  };
}

/** The channel has the definition. */
export function commitStep(
  { network, channel, definition, organizations }: Deployment,
  after: readonly string[],
): Step {
  const [first] = organizations;
  if (!first) throw new FabricError("internal", "a deployment without organizations");
  return {
    id: "commit",
    title: `${channel} has committed ${described(definition)}`,
    after,
    async observe({ signal }) {
      const { connection, identity } = await reachOrganization(network, first, signal);
      const committed = await committedDefinition(connection, identity, channel, definition.name, { signal });
      return committed && agree(committed, definition)
        ? { done: true }
        : { done: false, change: "endorsed by all that approved" };
    },
    async act({ signal, progress }) {
      const { connection, identity, gateway } = await reachOrganization(network, first, signal);
      // This peer may still lack the block of another organization's approval; a commit without it would fail the policy.
      const settled = async () => {
        const readiness = await commitReadiness(connection, identity, channel, definition, { signal });
        const late = organizations.filter(({ mspId }) => readiness.approvals.get(mspId) !== true);
        if (late.length === 0) return readiness;
        throw new FabricError(
          "not-ready",
          `${connection.name} has no approval of ${late.map(({ name }) => name).join(", ")} yet`,
        );
      };
      const { approvals, mismatches } = await eventually(settled, { signal, retry: ["not-ready"] });
      const approved = [...approvals].filter(([, yes]) => yes).map(([mspId]) => mspId);
      const open = [...approvals]
        .filter(([, yes]) => !yes)
        .map(([mspId]) => {
          const parts = mismatches.get(mspId);
          return parts?.length ? `${mspId} (approved another ${parts.join(", ")})` : mspId;
        });
      progress(open.length > 0 ? `not approved by ${open.join(", ")}` : "approved by all");
      await patiently(() => commitDefinition(gateway, channel, approved, definition, { signal }), signal);
      return open.length > 0 ? `still to approve: ${open.join(", ")}` : "";
    },
  };
}

/** A peer knows the committed definition: its next call runs the new chaincode. */
export function runningStep({ network, channel, definition }: Deployment, node: FabricNode, after: string): Step {
  const known = async (signal: AbortSignal) => {
    const { connection, identity } = await reachPeer(network, node, signal);
    const committed = await committedDefinition(connection, identity, channel, definition.name, { signal });
    return committed !== undefined && agree(committed, definition);
  };
  return {
    id: `running/${hostOf(node)}`,
    title: `${hostOf(node)} runs ${described(definition)}`,
    after: [after],
    observe: async ({ signal }) =>
      (await known(signal)) ? { done: true } : { done: false, change: "wait for the block" },
    async act({ signal }) {
      await eventually(
        async () => {
          if (await known(signal)) return;
          throw new FabricError("not-ready", `${hostOf(node)} has not yet received the definition`);
        },
        { signal, retry: ["not-ready"] },
      );
    },
  };
}

/**
 * Again while peers of different organizations have not found each other by gossip, there is no Raft leader, or two
 * organizations wrote at once (MVCC_READ_CONFLICT): by status, never by sleeping and hoping.
 */
function patiently<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const retriable = async () => {
    try {
      return await attempt();
    } catch (error) {
      if (isReadConflict(error))
        throw new FabricError("not-ready", "two organizations wrote at once", { cause: error });
      throw error;
    }
  };
  return eventually(retriable, { signal, retry: ["not-ready", "connection"] });
}

const described = ({ name, version, sequence }: ChaincodeDefinition): string =>
  `${name} ${version}, sequence ${sequence}`;

const kilobytes = ({ length }: Uint8Array): string => `${Math.ceil(length / 1024)} KiB`;

/** `label:` and the first 12 digits, as Docker shortens. */
function shortId(packageId: string): string {
  const [label, hash = ""] = packageId.split(":");
  return `${label}:${hash.slice(0, 12)}`;
}
