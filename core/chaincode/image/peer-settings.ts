import { parse } from "yaml";
import { FabricError } from "../../error.ts";
import type { PeerNames } from "../../fabric/chaincode/chaincode-image.ts";
import type { V1Container } from "../../kubernetes/client-node.ts";

/** What a peer builds Node chaincode with. */
export interface BuildSettings {
  /** CORE_CHAINCODE_NODE_RUNTIME, placeholders filled in: "hyperledger/fabric-nodeenv:2.5". */
  readonly nodeRuntime: string;
  /** Of the peer: "v3.1.5"; empty when it does not say. */
  readonly version: string;
}

/** Ways to look into a running peer; each gives undefined when it cannot be had. */
export interface PeerContainerLook {
  /** The value of a variable within the container, where the Pod does not say it itself. */
  variable(name: string): Promise<string | undefined>;
  /** core.yaml of the peer. */
  coreYaml(): Promise<string | undefined>;
  /** What `peer version` says. */
  version(): Promise<string | undefined>;
}

interface CoreYaml {
  readonly peer?: { readonly id?: unknown; readonly networkId?: unknown };
  readonly chaincode?: { readonly node?: { readonly runtime?: unknown } };
}

/** sampleconfig/core.yaml of 2.5 and 3.x: what nearly every peer has when nobody has told it anything else. */
const defaultNodeRuntime = "$(DOCKER_NS)/fabric-nodeenv:2.5";

/**
 * What a running peer names its images by: its environment first, then its core.yaml (Fabric reads them by viper, to which an
 * empty variable is none). Throws `not-found` when they cannot be told.
 */
export async function peerNames(container: V1Container, host: string, look: PeerContainerLook): Promise<PeerNames> {
  const [networkId, peerId] = await Promise.all([
    valueOf(container, "CORE_PEER_NETWORKID", look),
    valueOf(container, "CORE_PEER_ID", look),
  ]);
  if (networkId !== undefined && peerId !== undefined) return { networkId, peerId };
  const { peer } = coreSettings(await look.coreYaml());
  const names = { networkId: networkId ?? text(peer?.networkId), peerId: peerId ?? text(peer?.id) };
  if (names.networkId !== undefined && names.peerId !== undefined)
    return { networkId: names.networkId, peerId: names.peerId };
  const missing = names.peerId === undefined ? "CORE_PEER_ID" : "CORE_PEER_NETWORKID";
  throw new FabricError(
    "not-found",
    `expected ${missing} of ${host}, by which it names its images, found it neither in its environment nor in a core.yaml`,
    {
      hint: `name it in the env of the peer's container, as its value is now (Fabric's own defaults: jdoe and dev)`,
    },
  );
}

/** What a running peer would build Node chaincode with. */
export async function buildSettings(container: V1Container, look: PeerContainerLook): Promise<BuildSettings> {
  const [variable, said] = await Promise.all([valueOf(container, "CORE_CHAINCODE_NODE_RUNTIME", look), look.version()]);
  const version = /^\s*Version:\s*(\S+)/m.exec(said ?? "")?.[1] ?? "";
  const runtime = variable ?? text(coreSettings(await look.coreYaml()).chaincode?.node?.runtime);
  return { version, nodeRuntime: imageOf(runtime ?? defaultNodeRuntime, version) };
}

/** A literal of the Pod, or what the container itself knows (valueFrom, envFrom, $(VAR), its image). */
async function valueOf(container: V1Container, name: string, look: PeerContainerLook): Promise<string | undefined> {
  // The last of several counts.
  const value = container.env?.findLast((variable) => variable.name === name)?.value;
  if (value !== undefined && !value.includes("$(")) return value || undefined;
  return (await look.variable(name)) || undefined;
}

function coreSettings(yaml: string | undefined): CoreYaml {
  try {
    return (parse(yaml ?? "") ?? {}) as CoreYaml;
  } catch {
    return {};
  }
}

const text = (value: unknown): string | undefined =>
  (typeof value === "string" || typeof value === "number") && value !== "" ? String(value) : undefined;

/** core/chaincode/platforms/util/utils.go, GetDockerImageFromConfig. */
function imageOf(runtime: string, version: string): string {
  const number = version.replace(/^v/, "");
  return runtime
    .replaceAll("$(DOCKER_NS)", "hyperledger")
    .replaceAll("$(PROJECT_VERSION)", version)
    .replaceAll("$(TWO_DIGIT_VERSION)", number.includes(".") ? number.slice(0, number.lastIndexOf(".")) : number);
}
