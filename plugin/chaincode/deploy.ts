import { FabricError } from "../error.ts";
import { checkChaincodeName, checkChaincodeVersion, type ChaincodeDefinition } from "../fabric/chaincode-definition.ts";
import { checkChaincodeLabel } from "../fabric/chaincode-label.ts";
import { configOf } from "../fabric/config.ts";
import type { ChaincodeLanguage } from "../fabric/chaincode-source.ts";
import { checkDefinition } from "../fabric/definition-check.ts";
import { approvedDefinition, committedDefinition, type ApprovedDefinition } from "../fabric/lifecycle.ts";
import { enoughApprovals } from "../fabric/lifecycle-endorsement.ts";
import { peerConfigBlock } from "../fabric/peer-channels.ts";
import type { OpenNetwork } from "../network/open-network.ts";
import { reachPeer } from "../network/reach.ts";
import { hostOf, peerNodes } from "../network/spec.ts";
import type { Step } from "../steps/step.ts";
import { installations, packageAtHand, type Deployment, type PackageToDeploy, type Target } from "./deployment.ts";
import { imageStep } from "./image-step.ts";
import { initStep } from "./init-step.ts";
import { approveStep, commitStep, installStep, runningStep } from "./lifecycle-steps.ts";
import { agree, nextDefinition } from "./next-definition.ts";
import { packageOnPeers, preparePackage } from "./package-source.ts";
import { chooseRuntime, type RuntimeOptions } from "./runtime/choice.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { findImage } from "./seed/given-image.ts";
import { seededInstalls } from "./seed/network-seeding.ts";
import { seedPeer } from "./seed/seed-peer.ts";
import { chosenOrganizations, chosenPlaces, type Place } from "./targets.ts";
import { readCollections, wantedTerms, type Terms } from "./terms.ts";

export interface DeployRequest extends Omit<Terms, "collections">, RuntimeOptions {
  readonly name: string;
  readonly channel: string;
  /** How a peer starts the image that it is given; found out unless told. */
  readonly language?: ChaincodeLanguage | undefined;
  readonly label?: string | undefined;
  /** A package that peers have, instead of `path`. */
  readonly packageId?: string | undefined;
  /** Back to what was committed at this sequence: package, version, policy, collections. */
  readonly rollbackTo?: number | undefined;
  /** A file in the peer command's JSON. */
  readonly collections?: string | undefined;
  /** Names; all of the network unless told. */
  readonly organizations?: readonly string[] | undefined;
  /** "peer0.org1"; all of the organizations unless told. */
  readonly peers?: readonly string[] | undefined;
  /** Image archives that each daemon has to have. */
  readonly loadImage?: readonly string[] | undefined;
  /** Arguments of the call that initializes it. */
  readonly initArguments?: readonly string[] | undefined;
  /** Refuse what the peer's build would have to download. */
  readonly offline?: boolean | undefined;
  /** Told what is worth knowing about the package. */
  readonly notice?: ((text: string) => void) | undefined;
}

/** The channel runs this chaincode: installed everywhere, approved by each organization, committed, started. */
export async function deploySteps(
  network: OpenNetwork,
  request: DeployRequest,
  signal: AbortSignal,
): Promise<readonly Step[]> {
  const deployment = await deploymentFor(network, request, signal);
  return stepsFor(deployment, request);
}

/** What a request comes to on a channel as it is now. Throws `usage` for what Fabric or the channel would refuse. */
export async function deploymentFor(
  network: OpenNetwork,
  request: DeployRequest,
  signal: AbortSignal,
): Promise<Deployment> {
  checkRequest(request);
  const collections = request.collections === undefined ? undefined : await readCollections(request.collections);
  const places = await chosenPlaces(network, request, signal);
  const runtime = await runtimeFor(network, request, places, signal);
  const [first] = places;
  if (!first) throw new FabricError("usage", "expected at least one organization, found none");
  const { connection, identity } = await reachPeer(network, first.gateway, signal);
  const [config, committed] = await Promise.all([
    peerConfigBlock(connection, identity, request.channel, { signal }).then(configOf),
    committedDefinition(connection, identity, request.channel, request.name, { signal }),
  ]);
  const [approved, former] = await Promise.all([
    approvals(network, request, places, committed?.sequence, signal),
    request.rollbackTo === undefined
      ? undefined
      : approvals(network, request, places, formerSequence(request.rollbackTo, committed), signal),
  ]);
  const packages = packageOnce(network);
  const targets = places.map((place, index): Target => {
    const choice = { place, approved: approved[index], former: former?.[index], committed };
    return { ...place, pkg: runtime.packageFor?.(place.organization) ?? packages(packageIdFor(request, choice)) };
  });
  const standing = { name: request.name, committed, former: former && agreedFormer(former) };
  const wanted = wantedTerms({ ...request, collections }, standing);
  const definition = nextDefinition(
    wanted,
    committed,
    targets.map(({ organization, pkg: { id } }, index) => {
      return { organization: organization.name, approved: approved[index]?.packageId, wanted: id };
    }),
  );
  checkDefinition(config, definition);
  const commandFor = (organization: string) => commandOf(request, organization);
  const enough = enoughApprovals(config);
  return { network, channel: request.channel, definition, targets, runtime, enough, commandFor };
}

/** A deployment as a plan; asks nobody. */
export async function stepsFor(
  deployment: Deployment,
  request: Pick<DeployRequest, "loadImage" | "initArguments">,
): Promise<readonly Step[]> {
  const { network, targets, runtime } = deployment;
  const places = installations(deployment);
  const images = await Promise.all(
    places.flatMap(({ target, node }) =>
      (request.loadImage ?? []).map(async (file) => ({ node, step: await imageStep(deployment, target, node, file) })),
    ),
  );
  const imagesOf = (host: string) => images.filter(({ node }) => hostOf(node) === host).map(({ step }) => step.id);
  const seeded = seededInstalls(
    network,
    targets.map(({ organization }) => organization),
  );
  const prepared = targets.map((target) => ({ target, steps: runtime.beforehand(target.organization) }));
  const preparedFor = (target: Target) =>
    prepared.filter((each) => each.target === target).flatMap(({ steps }) => steps.map(({ id }) => id));
  const installs = places.map(({ target, node }) => {
    const before = runtime.beforeInstall(node);
    const after = [...imagesOf(hostOf(node)), ...before.map(({ id }) => id), ...preparedFor(target)];
    const step = installStep(deployment, target, node, after);
    return { node, target, before, step: seeded(node, target.pkg, step) };
  });
  const approves = targets.map((target) => {
    const own = installs.filter((install) => install.target === target && !target.late.includes(install.node));
    return approveStep(deployment, target, [...own.map(({ step }) => step.id), ...preparedFor(target)]);
  });
  const commit = commitStep(
    deployment,
    approves.map(({ id }) => id),
  );
  const running = installs.map(({ node, step }) => runningStep(deployment, node, [commit.id, step.id]));
  const init = deployment.definition.initRequired
    ? [initStep(deployment, request.initArguments ?? [], runningAtGateway(deployment, running))]
    : [];
  const warm = installs.map(({ target, node }, index) =>
    runtime.started(deployment, target, node, [running[index]?.id ?? commit.id, ...init.map(({ id }) => id)]),
  );
  const afterwards = targets.flatMap((target) => {
    const own = running.filter((_, index) => installs[index]?.target === target);
    return runtime.afterwards(target, [commit.id, ...own.map(({ id }) => id)]);
  });
  return [
    ...images.map(({ step }) => step),
    ...prepared.flatMap(({ steps }) => steps),
    ...installs.flatMap(({ before, step }) => [...before, step]),
    ...approves,
    commit,
    ...running,
    ...init,
    ...warm,
    ...afterwards,
  ];
}

/** Steps of the peers whose gateway is used: those that are late are not waited for. */
function runningAtGateway({ targets }: Deployment, running: readonly Step[]): readonly string[] {
  const late = targets.flatMap((target) => target.late.map((node) => `running/${hostOf(node)}`));
  return running.map(({ id }) => id).filter((id) => !late.includes(id));
}

function checkRequest(request: DeployRequest): void {
  checkChaincodeName(request.name);
  checkChaincodeLabel(request.label ?? request.name);
  if (request.version !== undefined) checkChaincodeVersion(request.version);
  const sources = (["path", "image", "packageId", "rollbackTo"] as const).filter(
    (source) => request[source] !== undefined,
  );
  // A service takes its program from the image, and the indexes from the sources.
  if (request.runtime !== "service" && sources.length > 1) {
    throw new FabricError("usage", "expected one of --path, --image, --package-id and --rollback-to, found several");
  }
  if (request.language !== undefined && request.image === undefined) {
    throw new FabricError("usage", "expected --language together with --image only: sources say it themselves");
  }
  if (request.runtime === "service") rejectDaemonOptions(request);
  if (request.initArguments && request.initRequired === false) {
    throw new FabricError("usage", "expected no --init-args together with --no-init");
  }
}

/** Options that only chaincode in the peers' own daemons has. */
const daemonOptions = {
  loadImage: "--load-image",
  packageId: "--package-id",
  rollbackTo: "--rollback-to",
  language: "--language",
} as const;

function rejectDaemonOptions(request: DeployRequest): void {
  const keys = Object.keys(daemonOptions) as (keyof typeof daemonOptions)[];
  const given = keys.filter((key) => request[key] !== undefined).map((key) => daemonOptions[key]);
  if (given.length === 0) return;
  throw new FabricError("usage", `expected no ${given.join(", ")} with --runtime service`, {
    hint: "a service goes back to what it was by its former --image",
  });
}

/** Where the chaincode is to run. As a service each organization has a package of its own, with its own address. */
function runtimeFor(
  network: OpenNetwork,
  request: DeployRequest,
  places: readonly Place[],
  signal: AbortSignal,
): Promise<Runtime> {
  const { name: chaincode, channel, label = chaincode } = request;
  const organizations = chosenOrganizations(network, request.organizations);
  const prepare = () => packageForDaemons(network, request, places, signal);
  return chooseRuntime(network, { chaincode, channel, label, organizations, prepare }, request, signal);
}

/** What the peers' own daemons are to run, when the request brings it. */
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
  const { pkg, notices } = await preparePackage(request.path, request.label ?? request.name, request);
  for (const notice of notices) request.notice?.(notice);
  return packageAtHand(pkg);
}

/** What each organization has approved at a sequence; nothing is when nothing has been committed. */
async function approvals(
  network: OpenNetwork,
  { channel, name }: DeployRequest,
  places: readonly Place[],
  sequence: number | undefined,
  signal: AbortSignal,
): Promise<readonly (ApprovedDefinition | undefined)[]> {
  if (sequence === undefined) return places.map(() => undefined);
  return Promise.all(
    places.map(async ({ gateway }) => {
      const { connection, identity } = await reachPeer(network, gateway, signal);
      return approvedDefinition(connection, identity, channel, { name, sequence }, { signal });
    }),
  );
}

function formerSequence(sequence: number, committed: ChaincodeDefinition | undefined): number {
  if (committed && sequence <= committed.sequence) return sequence;
  const found = committed ? `1 to ${committed.sequence}` : "none";
  throw new FabricError("usage", `expected a sequence that was committed (${found}), found ${sequence}`, {
    hint: "kubectl fabric chaincode inspect NAME shows them",
  });
}

/** An organization may have approved something else at that sequence than what was committed then. */
function agreedFormer(former: readonly (ApprovedDefinition | undefined)[]): ApprovedDefinition | undefined {
  const known = former.filter((definition) => definition !== undefined);
  const [first] = known;
  if (known.every((definition) => first !== undefined && agree(first, definition))) return first;
  throw new FabricError("conflict", "the organizations approved different definitions at that sequence", {
    hint: "say what you want: --package-id with --policy, --collections and --chaincode-version",
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
      { hint: `--package-id ID takes one that is installed, --orgs leaves ${organization} out` },
    );
  }
  const found = committed
    ? `${organization} has approved none for sequence ${committed.sequence}`
    : "nothing committed";
  throw new FabricError("usage", `expected a package for ${request.name}, found ${found}`, {
    hint: "name the chaincode's folder or package with --path",
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

/** What the administrator of another organization has to type to the same end. */
function commandOf(request: DeployRequest, organization: string): string {
  const words: (readonly [string, string | number | undefined])[] = [
    ["--runtime", request.runtime === "dind" ? undefined : request.runtime],
    ["--start", request.start],
    ["--per", request.per],
    ["--path", request.path],
    ["--image", request.image],
    ["--language", request.language],
    ["--package-id", request.packageId],
    ["--rollback-to", request.rollbackTo],
    ["--label", request.label],
    ["--chaincode-version", request.version],
    ["--policy", request.policy],
    ["--collections", request.collections],
  ];
  const said = words.flatMap(([option, value]) => (value === undefined ? [] : [`${option} ${quoted(String(value))}`]));
  const init = request.initRequired === undefined ? [] : [request.initRequired ? "--init" : "--no-init"];
  return [
    "kubectl fabric deploy-cc",
    request.name,
    "-C",
    request.channel,
    ...said,
    ...init,
    ...(request.clientAuth ? ["--client-auth"] : []),
    "--org",
    organization,
  ].join(" ");
}

const quoted = (word: string): string =>
  /^[\w./:@+-]+$/.test(word) ? word : `"${word.replace(/(["$`\\])/g, "\\$1")}"`;
