import type { V1Container, V1EnvVar } from "@kubernetes/client-node";
import { literal, setVariables } from "./environment.ts";
import { imageName, imageVersion, parseImage } from "./image.ts";
import type { ListEdit } from "./list-edit.ts";
import { Denial, type Warning } from "./outcome.ts";
import { commandLine } from "./peer-container.ts";
import type { Wiring } from "./profile.ts";
import { isOlder, printVersion, type Version } from "./version.ts";

/** The default port on which a peer serves chaincode (Fabric: internal/peer/node/start.go, defaultChaincodePort). */
const defaultChaincodePort = "7052";

/** All of these are needed: with the endpoint alone, chaincode would dial the peer's Service. */
const wiredVariables = [
  "CORE_VM_ENDPOINT",
  "CORE_PEER_CHAINCODEADDRESS",
  "CORE_PEER_CHAINCODELISTENADDRESS",
  "CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE",
] as const;

/** The variables that make a peer build chaincode at an endpoint and make the chaincode dial the peer's own loopback. */
export function wirePeer(
  peer: V1Container,
  endpoint: string,
  wiring: Wiring,
  before: readonly V1EnvVar[],
): ListEdit<V1EnvVar> {
  const env = peer.env ?? [];
  const port = chaincodePort(peer);
  const values: Record<string, string> = {
    CORE_VM_ENDPOINT: endpoint,
    CORE_PEER_CHAINCODEADDRESS: `${wiring.address}:${port}`,
    CORE_PEER_CHAINCODELISTENADDRESS: `${wiring.listen}:${port}`,
    CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE: wiring.networkMode,
  };
  const has = (name: string): boolean => env.some((variable) => variable.name === name);
  // Leftovers of the node's daemon: scripts that call docker use DOCKER_HOST, and TLS on a socket fails (Fabric: createDockerClient).
  if (has("DOCKER_HOST")) values["DOCKER_HOST"] = endpoint;
  if (has("CORE_VM_DOCKER_TLS_ENABLED")) values["CORE_VM_DOCKER_TLS_ENABLED"] = "false";
  return { ...setVariables(env, values), prepend: before.filter(({ name }) => !has(name)) };
}

/** The port on which a peer serves chaincode. */
export function chaincodePort(peer: V1Container): string {
  const listen = literal(peer, "CORE_PEER_CHAINCODELISTENADDRESS") ?? "";
  return /:(\d{1,5})$/.exec(listen)?.[1] ?? defaultChaincodePort;
}

const settingPattern = new RegExp(`(?:^|[\\s;&("'])(${wiredVariables.join("|")})=`, "g");

/** Warnings about wired variables that the peer's command sets itself: it overrides the environment. */
export function commandWarnings(peer: V1Container): readonly Warning[] {
  const set = new Set(Array.from(commandLine(peer).matchAll(settingPattern), ([, name]) => name));
  return wiredVariables
    .filter((name) => set.has(name))
    .map((name) => ({
      reason: "command-overrides",
      message: `the peer's command sets ${name} itself, which overrides what was injected: remove it from the command`,
    }));
}

/** Fabric's version by the tag of the peer's image; undefined when that has none. */
function fabricVersion(peer: V1Container): Version | undefined {
  const image = parseImage(peer.image ?? "");
  return image !== undefined && imageName(image).endsWith("fabric-peer") ? imageVersion(image) : undefined;
}

/** Warnings about the peer's version of Fabric. Throws Denial for one before 1.0, which lacks the wired settings. */
export function fabricWarnings(peer: V1Container): readonly Warning[] {
  const version = fabricVersion(peer);
  if (version === undefined || !isOlder(version, "2.0")) return [];
  if (isOlder(version, "1.0")) throw tooOld(peer, version);
  const message = `Fabric ${printVersion(version)} is not tested: its chaincode lifecycle is not that of 2.x, and ccenv of that age may not build; move to 2.5`;
  return [{ reason: "fabric-version", message }];
}

function tooOld({ image = "" }: V1Container, version: Version): Denial {
  const problem = {
    key: "image",
    value: image,
    allowed: "Fabric 1.0 or later",
    documentation: "docs/injection.md#fabric-versions",
  };
  return new Denial(
    "fabric-version",
    problem,
    `Fabric ${printVersion(version)} cannot run chaincode beside the peer: expected ${problem.allowed}`,
  );
}

/**
 * Docker Engine 29 refuses API versions below 1.44, and peers up to 2.5.14 and 3.1.3 speak an older one
 * (Fabric's go-dockerclient; hyperledger/fabric 5350, 5353, 5479).
 */
export function dockerWarnings(peer: V1Container, sidecarImage: string): readonly Warning[] {
  const image = parseImage(sidecarImage);
  const docker = image === undefined ? undefined : imageVersion(image);
  const fabric = fabricVersion(peer);
  if (docker === undefined || fabric === undefined || docker.major < 29 || !speaksOldApi(fabric)) return [];
  const message = `Docker ${docker.major} refuses the API version of Fabric ${printVersion(fabric)}: use a Docker 28 image, or Fabric 2.5.15 or 3.1.4`;
  return [{ reason: "docker-version", message }];
}

function speaksOldApi(fabric: Version): boolean {
  return isOlder(fabric, fabric.major < 3 ? "2.5.15" : "3.1.4");
}
