import { FabricError } from "../../error.ts";
import { joined } from "../../remedy.ts";
import type { ChaincodeDefinition } from "../../fabric/chaincode/chaincode-definition.ts";
import { configOf } from "../../fabric/channel/config.ts";
import { checkDefinition } from "../../fabric/chaincode/definition-check.ts";
import { approvedDefinition, commitReadiness, type ApprovedDefinition } from "../../fabric/chaincode/lifecycle.ts";
import { enoughApprovals } from "../../fabric/channel/lifecycle-endorsement.ts";
import { peerConfigBlock } from "../../fabric/channel/peer-channels.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import type { NodeClient } from "../../fabric/node/node-client.ts";
import { reachPeer } from "../../network/session/reach.ts";
import { peerNodes } from "../../network/resources/nodes.ts";
import { deployOperation } from "../deployment/deploy-operation.ts";
import { checkRequest, type DeployRequest } from "../deployment/deploy-request.ts";
import {
  packageAtHand,
  type Deployment,
  type PackageToDeploy,
  type Runtime,
  type Target,
} from "../deployment/deployment.ts";
import { differentPackages } from "../lifecycle/different-packages.ts";
import { checkAgreed, disagreements } from "../deployment/disagreement.ts";
import { furthest } from "../deployment/furthest-peer.ts";
import { agree, described, nextDefinition, withNewPackage } from "../deployment/next-definition.ts";
import { serviceNotices } from "../package/service-notices.ts";
import { checkInstalled, packageOnPeers, preparePackage } from "../package/package-source.ts";
import { chooseRuntime } from "../runtime/choice.ts";
import { checkServed } from "../runtime/former-service.ts";
import { findImage } from "../image/given-image.ts";
import { seedPeer } from "../image/seed-peer.ts";
import { chosenOrganizations, chosenPlaces, type Place } from "../deployment/targets.ts";
import { readCollections, wantedTerms } from "../deployment/terms.ts";
import { notJoined } from "../deployment/unknown-name.ts";

/**
 * The deployment that a request means on the channel as it is now. Throws `usage` for what Fabric or the channel would refuse, `conflict`
 * when another organization has approved something else.
 */
export async function deploymentFor(
  network: OpenNetwork,
  request: DeployRequest,
  signal: AbortSignal,
): Promise<Deployment> {
  checkRequest(request);
  const collections = request.collections === undefined ? undefined : await readCollections(request.collections);
  const chosen = await chosenPlaces(network, request, signal);
  const runtime = await runtimeFor(network, request, chosen, signal);
  const [first] = chosen;
  if (!first) throw new FabricError("usage", "expected at least one organization, found none");
  const client = await reachPlace(network, first, chosen, signal);
  const [config, { committed, places }] = await Promise.all([
    peerConfigBlock(client, request.channel).then(configOf),
    furthest(network, chosen, request, signal),
  ]).catch(async (failure: unknown) => {
    throw (await notJoined(client, request.channel)) ?? failure;
  });
  const before = request.rollbackTo === undefined ? undefined : formerSequence(request, request.rollbackTo, committed);
  const [approved, former] = await Promise.all([
    approvals(network, request, places, committed?.sequence, signal),
    before === undefined ? undefined : approvals(network, request, places, before, signal),
  ]);
  if (request.packageId !== undefined) {
    await checkInstalled(network, request.packageId, peerNodes(network.definition), signal);
  }
  const packages = packageOnce(network);
  const targets = places.map((place, index): Target => {
    const choice = { place, approved: approved[index], former: former?.[index], committed };
    return { ...place, pkg: runtime.packageFor?.(place.organization) ?? packages(packageIdFor(request, choice)) };
  });
  if (request.rollbackTo !== undefined) {
    await Promise.all(targets.map(({ organization, pkg }) => checkServed(network, organization, pkg, signal)));
  }
  const standing = { name: request.name, committed, former: former && agreedFormer(former) };
  const wanted = wantedTerms({ ...request, collections }, standing);
  const planned = nextDefinition(
    wanted,
    committed,
    targets.map(({ organization, pkg: { id } }, index) => {
      return { organization: organization.name, approved: approved[index]?.packageId, wanted: id };
    }),
  );
  const speaker = await reachPeer(network, places[0]?.gateway ?? first.gateway, signal);
  // A request that names what is to run agrees to another organization's pending definition. A request that names nothing (for images, or
  // for peers that were away) must not change the channel for another organization.
  const isNamed = [request.path, request.image, request.packageId].some((source) => source !== undefined);
  const pending = committed && isNamed ? withNewPackage(wanted, committed) : undefined;
  const isPending =
    pending && !agree(planned, pending) && (await isApprovedElsewhere(network, request, pending, places, speaker));
  const definition = isPending === true ? pending : planned;
  checkInit(request, definition);
  checkDefinition(config, definition);
  const deployment: Deployment = {
    network,
    channel: request.channel,
    definition,
    isNew: definition.sequence !== committed?.sequence,
    targets,
    runtime,
    enough: enoughApprovals(config),
    patience: request.patience,
    deploymentBy: (organization, terms) => deployOperation(request, organization, terms),
  };
  if (deployment.isNew) {
    const own = places.map(({ organization }) => organization.mspId);
    const found = await disagreements(deployment, own, speaker, signal);
    checkAgreed(deployment, request, first.organization.name, found);
  }
  const different = await differentPackages(deployment, signal);
  if (different !== undefined) request.notice?.(different);
  return deployment;
}

/**
 * Whether another organization has already approved `pending`, to bring a package of its own under the terms that are wanted here, too.
 * That definition needs the approval of organizations whose package stays, although they have nothing to change. If so, a notice says that
 * they approve it.
 */
async function isApprovedElsewhere(
  network: OpenNetwork,
  { channel, notice }: DeployRequest,
  pending: ChaincodeDefinition,
  places: readonly Place[],
  client: NodeClient,
): Promise<boolean> {
  const others = network.definition.spec.peerOrganizations.filter(
    ({ mspId }) => !places.some(({ organization }) => organization.mspId === mspId),
  );
  if (others.length === 0) return false;
  const { approvals } = await commitReadiness(client, channel, pending);
  const names = others.filter(({ mspId }) => approvals.get(mspId) === true).map(({ name }) => name);
  if (names.length === 0) return false;
  const own = places.map(({ organization }) => organization.name).join(", ");
  notice?.(`${names.join(", ")} has approved ${described(pending)} under the same terms: ${own} approves it, too`);
  return true;
}

/** Throws `usage` for arguments of Init when no call of Init is made: the user would take it for done. */
function checkInit({ name, channel, initArguments }: DeployRequest, definition: ChaincodeDefinition): void {
  if (!initArguments || definition.initRequired) return;
  throw new FabricError(
    "usage",
    `expected --init with --init-args: ${described(definition)} asks for no call of Init`,
    {
      hint: [
        { setting: "initRequired" },
        " makes it ask for one; a function that is no Init: ",
        { operation: "invoke", of: [name, "FUNCTION"], on: channel },
      ],
    },
  );
}

/** Where the chaincode is to run. As a service each organization has a package of its own, with its own address. */
async function runtimeFor(
  network: OpenNetwork,
  request: DeployRequest,
  places: readonly Place[],
  signal: AbortSignal,
): Promise<Runtime> {
  for (const notice of await serviceNotices(request)) request.notice?.(notice);
  const { name: chaincode, channel, label = chaincode } = request;
  const organizations = chosenOrganizations(network, request.organizations);
  const { path, image, packageId, rollbackTo } = request;
  const chosen = [path, image, packageId, rollbackTo].some((source) => source !== undefined);
  const prepare = () => packageForDaemons(network, request, places, signal);
  return chooseRuntime(network, { chaincode, channel, label, organizations, chosen, prepare }, request, signal);
}

/** The package for the peers' own daemons; undefined when the request brings neither image nor source. */
async function packageForDaemons(
  network: OpenNetwork,
  request: DeployRequest,
  places: readonly Place[],
  signal: AbortSignal,
): Promise<PackageToDeploy | undefined> {
  if (request.image !== undefined) {
    const peers = places.flatMap((place) => place.peers).map((node) => seedPeer(network, node));
    const wanted = { reference: request.image, language: request.language, label: request.label ?? request.name };
    const { pkg, image } = await findImage(peers, wanted, signal);
    return { ...packageAtHand(pkg), image };
  }
  if (request.path === undefined) return undefined;
  const { pkg, notices } = await preparePackage(request.path, request.label ?? request.name, request, signal);
  for (const notice of notices) request.notice?.(notice);
  return packageAtHand(pkg);
}

/** What each organization has approved at a sequence; undefined for all when nothing has been committed. */
async function approvals(
  network: OpenNetwork,
  { channel, name }: DeployRequest,
  places: readonly Place[],
  sequence: number | undefined,
  signal: AbortSignal,
): Promise<readonly (ApprovedDefinition | undefined)[]> {
  if (sequence === undefined) return places.map(() => undefined);
  return Promise.all(
    places.map(async (place) => {
      return approvedDefinition(await reachPlace(network, place, places, signal), channel, { name, sequence });
    }),
  );
}

/** The peer that speaks for an organization. Throws `not-ready` where none of its peers runs: without one it cannot approve. */
async function reachPlace(
  network: OpenNetwork,
  { organization, gateway }: Place,
  places: readonly Place[],
  signal: AbortSignal,
): Promise<NodeClient> {
  try {
    return await reachPeer(network, gateway, signal);
  } catch (error) {
    if (!(error instanceof FabricError) || error.code !== "not-ready") throw error;
    const { name } = organization;
    const others = places
      .filter((place) => place.organization !== organization)
      .map((place) => place.organization.name);
    const without = ["for the others: the same command with ", { setting: "organizations", to: others }] as const;
    throw new FabricError("not-ready", `${name} cannot approve while none of its peers runs: ${error.message}`, {
      hint: others.length > 0 ? joined([error.hint, without], "\n      or ") : error.hint,
      cause: error,
    });
  }
}

function formerSequence(
  { name, channel }: DeployRequest,
  sequence: number,
  committed: ChaincodeDefinition | undefined,
): number {
  if (!committed) {
    throw new FabricError(
      "usage",
      `expected ${name} to be committed on ${channel} before it can go back, found no definition of it`,
      { hint: [{ operation: "chaincode list" }, " shows what is committed"] },
    );
  }
  if (sequence <= committed.sequence) return sequence;
  const those = committed.sequence === 1 ? "sequence 1, the only one" : `a sequence from 1 to ${committed.sequence}`;
  throw new FabricError("usage", `expected ${those}, found ${sequence}`, {
    hint: [{ operation: "chaincode inspect", of: name, on: channel }, " shows them"],
  });
}

/**
 * The former definition, on which all organizations have to agree (`conflict`): each may have approved something else at that sequence than
 * what was committed.
 */
function agreedFormer(former: readonly (ApprovedDefinition | undefined)[]): ApprovedDefinition | undefined {
  const known = former.filter((definition) => definition !== undefined);
  const [first] = known;
  if (known.every((definition) => first !== undefined && agree(first, definition))) return first;
  throw new FabricError("conflict", "the organizations approved different definitions at that sequence", {
    hint: [
      "say what you want: ",
      { setting: "packageId" },
      " with ",
      { setting: "policy" },
      ", ",
      { setting: "collections" },
      " and ",
      { setting: "version" },
    ],
  });
}

interface PackageChoice {
  readonly place: Place;
  readonly approved: ApprovedDefinition | undefined;
  readonly former: ApprovedDefinition | undefined;
  readonly committed: ChaincodeDefinition | undefined;
}

function packageIdFor(request: DeployRequest, { place, approved, former, committed }: PackageChoice): string {
  const id = request.packageId ?? (request.rollbackTo === undefined ? approved : former)?.packageId;
  if (id !== undefined) return id;
  const organization = place.organization.name;
  if (request.rollbackTo !== undefined) {
    throw new FabricError(
      "not-found",
      `expected a package that ${organization} approved at sequence ${request.rollbackTo}, found none`,
      {
        hint: [
          { setting: "packageId", to: "ID" },
          " takes one that is installed, ",
          { setting: "organizations" },
          ` leaves ${organization} out`,
        ],
      },
    );
  }
  const found = committed
    ? `${organization} has approved none for sequence ${committed.sequence}`
    : "nothing committed";
  throw new FabricError("usage", `expected a package for ${request.name}, found ${found}`, {
    hint: ["name the chaincode's folder or package with ", { setting: "path" }],
  });
}

/** The same package is asked for once, whoever needs it. */
function packageOnce(network: OpenNetwork): (id: string) => PackageToDeploy {
  const known = new Map<string, PackageToDeploy>();
  const all = peerNodes(network.definition);
  return (id) => {
    const pkg = known.get(id) ?? packageOnPeers(network, id, all);
    known.set(id, pkg);
    return pkg;
  };
}
