import { createHash } from "node:crypto";
import { FabricError } from "../../error.ts";
import type { ArchiveFile } from "../../fabric/package/tarball.ts";
import type { ChaincodePackage } from "../../fabric/package/chaincode-package.ts";
import { packServiceChaincode } from "../../fabric/package/service-chaincode.ts";
import { startChaincode } from "../../fabric/chaincode/chaincode-start.ts";
import { get } from "../../kubernetes/objects.ts";
import { appliedStep, readyStep } from "../../kubernetes/steps/object-steps.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { builderSettings } from "../../network/workload/peer.ts";
import { hostOf, type FabricNode } from "../../network/resources/nodes.ts";
import type { PeerOrganization } from "../../network/resources/spec.ts";
import { reachPeer } from "../../network/session/reach.ts";
import { aMinute } from "../../engine/eventually.ts";
import type { ActingStep, Step } from "../../engine/step.ts";
import { packageAtHand, type Deployment, type Runtime } from "../deployment/deployment.ts";
import { startTimeout } from "../lifecycle/init-step.ts";
import type { RuntimeRequest } from "./runtime-request.ts";
import { clientKeys, keysStep, serverCertificate, type ClientKeys } from "./service-keys.ts";
import { leftoversStep } from "./service-leftovers.ts";
import { serviceName, type ServiceIdentity } from "./service-name.ts";
import { nodeStart, serversOf, serviceObjects, servicePort, type ServiceDesign } from "./service-objects.ts";

export interface ServiceOptions {
  readonly image: string;
  readonly per: "organization" | "peer";
  /** Whether peers have to show a certificate. */
  readonly clientAuth: boolean;
  /** "node" for the command of Node chaincode, words of a command, or the image's own. */
  readonly start?: string | undefined;
  /** CouchDB indexes for the package. */
  readonly metadata?: readonly ArchiveFile[];
}

/** Chaincode as a service: a Deployment in each organization's namespace that peers dial. */
export async function newServiceRuntime(
  network: OpenNetwork,
  request: RuntimeRequest,
  options: ServiceOptions,
  signal: AbortSignal,
): Promise<Runtime> {
  const parts = await Promise.all(
    request.organizations.map((organization) => partOf(network, request, organization, options, signal)),
  );
  const partFor = (name: string): ServicePart => {
    const part = parts.find(({ design }) => design.organization.name === name);
    if (part) return part;
    throw new FabricError("internal", `no service for organization ${name}`);
  };
  return {
    name: "service",
    packageFor: (organization) => packageAtHand(partFor(organization.name).pkg),
    beforeInstall: (node) => (options.per === "peer" ? [peerNameStep(network, node)] : []),
    beforehand: (organization) => runningSteps(network, partFor(organization.name)),
    started: (deployment, _, node, after) => answersStep(deployment, node, after),
    afterwards: ({ organization }, after) => {
      const kept = serviceName(partFor(organization.name).design.identity);
      return [leftoversStep(network, request, organization, kept, after)];
    },
  };
}

/** What one organization runs. */
interface ServicePart {
  readonly design: ServiceDesign;
  readonly pkg: ChaincodePackage;
  readonly client: ClientKeys | undefined;
}

async function partOf(
  network: OpenNetwork,
  { chaincode, channel, label }: RuntimeRequest,
  organization: PeerOrganization,
  { image, per, clientAuth, start, metadata }: ServiceOptions,
  signal: AbortSignal,
): Promise<ServicePart> {
  const identity: ServiceIdentity = { chaincode, channel, label, image, per, clientAuth };
  const client = clientAuth ? await clientKeys(network, identity, organization, signal) : undefined;
  const { tlsRoot } = await network.certificates(organization, signal);
  const pkg = await packServiceChaincode({
    label,
    address: { host: `${addressName(identity)}.${organization.namespace}`, port: servicePort },
    tls: { rootCertificate: tlsRoot, client: client?.credential },
    ...(metadata ? { metadata } : {}),
  });
  const design = { identity, organization, packageId: pkg.id, start: startCommand(start, clientAuth) };
  return { design, pkg, client };
}

/** All peers of an organization install the same package: each fills in its own name. */
const addressName = (identity: ServiceIdentity): string =>
  identity.per === "organization" ? serviceName(identity) : `${serviceName(identity)}-{{.peername}}`;

function startCommand(start: string | undefined, clientAuth: boolean): readonly string[] | undefined {
  if (start === undefined) return undefined;
  return start === "node" ? nodeStart(clientAuth) : start.trim().split(/\s+/);
}

function runningSteps(network: OpenNetwork, { design, client }: ServicePart): readonly Step[] {
  const keys = keysStep(network, design);
  const objects = objectsStep(network, design, keys);
  const ready = serversOf(design).map(({ name }) =>
    readyStep(network.cluster, {
      id: `service/${design.organization.name}/${name}/ready`,
      title: `${name}.${design.organization.namespace} answers`,
      after: [objects],
      ref: { kind: "Deployment", namespace: design.organization.namespace, name },
      impatient: true,
    }),
  );
  return [...(client ? [client.step] : []), keys, objects, ...ready];
}

/** The objects have the certificate's digest in them, so they can be made only when it is there. */
function objectsStep(network: OpenNetwork, design: ServiceDesign, after: Step): Step {
  const id = `service/${design.organization.name}/deployment`;
  const title = `${design.organization.name} runs ${design.identity.image} as ${serviceName(design.identity)}`;
  const inner = async (signal: AbortSignal) => {
    const certificate = await serverCertificate(network, design, signal);
    const digest = createHash("sha256").update(certificate).digest("hex").slice(0, 16);
    const objects = serviceObjects(network.definition, design, digest);
    return appliedStep(network.cluster, { id, title, after: [after], objects });
  };
  return {
    id,
    title,
    after: [after],
    observe: async (context) => (await inner(context.signal)).observe(context),
    act: async (context) => (await inner(context.signal)).act(context),
  };
}

/** A peer's first call has reached its server: by a call that is never submitted. */
function answersStep(
  { network, channel, definition: { name } }: Deployment,
  node: FabricNode,
  after: readonly Step[],
): ActingStep {
  return {
    id: `started/${hostOf(node)}`,
    title: `${hostOf(node)} reaches ${name}`,
    after,
    isCheck: true,
    // A permanent failure looks the same as a server that is not there yet.
    patience: { with: ["connection", "not-ready", "chaincode", "rejected"], within: aMinute },
    // Only a call tells.
    observe: async () => ({ is: "differs", change: "by a call that is not submitted" }),
    async act({ signal }) {
      const client = await reachPeer(network, node, signal);
      const { state } = await startChaincode({ ...client, timeout: startTimeout }, channel, name);
      return state === "running" ? "" : "to be initialized";
    },
  };
}

/** A peer knows its name, which it fills into the address. A network from before this variable needs `init` once more. */
function peerNameStep(network: OpenNetwork, node: FabricNode): Step {
  const { namespace } = node.organization;
  const { name: variable, value } = builderSettings(node);
  return {
    id: `service/${hostOf(node)}/name`,
    title: `${hostOf(node)} finds a chaincode of its own`,
    after: [],
    async observe({ signal }) {
      const set = await get(network.cluster, { kind: "StatefulSet", namespace, name: node.name }, signal);
      const env = set?.spec?.template.spec?.containers.flatMap((container) => container.env ?? []) ?? [];
      if (env.some((each) => each.name === variable && each.value === value)) return { is: "so" };
      throw new FabricError("not-ready", `expected ${variable}=${value} in the Pod of ${hostOf(node)}, found none`, {
        hint: [
          { operation: "init" },
          " sets it and restarts the peers; or leave ",
          { setting: "per", to: "peer" },
          " out",
        ],
      });
    },
  };
}
