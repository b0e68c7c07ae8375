import { FabricError } from "../error.ts";
import {
  checkChaincodeName,
  defaultEndorsementPolicyBytes,
  type ChaincodeDefinition,
} from "../fabric/chaincode-definition.ts";
import { checkChaincodeLabel } from "../fabric/chaincode-label.ts";
import { parseEndorsementPolicy } from "../fabric/endorsement-policy.ts";
import { approvedDefinition, committedDefinition } from "../fabric/lifecycle.ts";
import type { OpenNetwork } from "../network/open-network.ts";
import { reachOrganization } from "../network/reach.ts";
import { nodesOf, type FabricNode, type PeerOrganization } from "../network/spec.ts";
import type { Step } from "../steps/step.ts";
import { imageStep } from "./image-step.ts";
import { approveStep, commitStep, installStep, runningStep, type Deployment } from "./lifecycle-steps.ts";
import { nextDefinition, type Approval } from "./next-definition.ts";
import { packageFrom } from "./package-source.ts";

export interface DeployRequest {
  readonly name: string;
  /** A folder or a package. */
  readonly path: string;
  readonly channel: string;
  readonly label?: string | undefined;
  readonly version?: string | undefined;
  /** As a user writes it. */
  readonly policy?: string | undefined;
  /** Names; all of the network unless told. */
  readonly organizations?: readonly string[] | undefined;
  /** Image archives that each daemon has to have. */
  readonly loadImage?: readonly string[] | undefined;
}

/** The channel runs this chaincode: installed everywhere, approved by each organization, committed. */
export async function deploySteps(
  network: OpenNetwork,
  request: DeployRequest,
  signal: AbortSignal,
): Promise<readonly Step[]> {
  checkChaincodeName(request.name);
  checkChaincodeLabel(request.label ?? request.name);
  const policy =
    request.policy === undefined
      ? defaultEndorsementPolicyBytes()
      : parseEndorsementPolicy(request.policy).serializeBinary();
  const organizations = chosen(network, request.organizations);
  const pkg = await packageFrom(request.path, request.label ?? request.name);
  const wanted = {
    name: request.name,
    version: request.version,
    endorsementPolicy: policy,
    collections: new Uint8Array(),
    initRequired: false,
  };
  const packageFor = () => pkg;
  const [committed, approvals] = await present(network, request, organizations, packageFor, signal);
  const definition = nextDefinition(wanted, committed, approvals);
  const deployment = { network, channel: request.channel, packageFor, definition, organizations };
  return stepsFor(deployment, request.loadImage ?? []);
}

async function stepsFor(deployment: Deployment, archives: readonly string[]): Promise<readonly Step[]> {
  const { network, organizations } = deployment;
  const peers = organizations.flatMap(nodesOf);
  const images = await Promise.all(
    peers.flatMap((node) => archives.map(async (file) => ({ node, step: await imageStep(network, node, file) }))),
  );
  const imagesOf = (node: FabricNode) => images.filter((image) => image.node === node).map(({ step }) => step.id);
  const installs = peers.map((node) => ({ node, step: installStep(deployment, node, imagesOf(node)) }));
  const approves = organizations.map((organization) => {
    const own = installs.filter(({ node }) => node.organization === organization);
    return approveStep(
      deployment,
      organization,
      own.map(({ step }) => step.id),
    );
  });
  const commit = commitStep(
    deployment,
    approves.map(({ id }) => id),
  );
  const running = peers.map((node) => runningStep(deployment, node, commit.id));
  return [...images.map(({ step }) => step), ...installs.map(({ step }) => step), ...approves, commit, ...running];
}

function chosen({ definition }: OpenNetwork, names: readonly string[] | undefined): readonly PeerOrganization[] {
  const all = definition.spec.peerOrganizations;
  const unknown = names?.find((name) => !all.some((organization) => organization.name === name));
  if (unknown !== undefined) {
    throw new FabricError(
      "usage",
      `expected organizations of the network (${all.map(({ name }) => name).join(", ")}), found ${unknown}`,
    );
  }
  return names ? all.filter(({ name }) => names.includes(name)) : all;
}

/** What is committed now, and what each organization runs of it. */
async function present(
  network: OpenNetwork,
  { channel, name }: DeployRequest,
  organizations: readonly PeerOrganization[],
  packageFor: Deployment["packageFor"],
  signal: AbortSignal,
): Promise<readonly [ChaincodeDefinition | undefined, readonly Approval[]]> {
  const [first] = organizations;
  if (!first) throw new FabricError("usage", "expected at least one organization, found none");
  const reached = await reachOrganization(network, first, signal);
  const committed = await committedDefinition(reached.connection, reached.identity, channel, name, { signal });
  if (!committed) return [undefined, []];
  const approvals = organizations.map(async (organization) => {
    const { connection, identity } = await reachOrganization(network, organization, signal);
    const at = { name, sequence: committed.sequence };
    const approved = await approvedDefinition(connection, identity, channel, at, { signal });
    const wantedPackageId = packageFor(organization).id;
    return { organization: organization.name, packageId: approved?.packageId, wantedPackageId };
  });
  return [committed, await Promise.all(approvals)];
}
