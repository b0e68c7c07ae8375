import { readFileSync } from "node:fs";
import type {
  V1Container,
  V1Pod,
  V1PodSpec,
  V1SecurityContext,
  V1ResourceRequirements,
  V1Volume,
  V1VolumeMount,
} from "@kubernetes/client-node";
import { oldestVersion, type ClusterFacts } from "./cluster.ts";
import type { Preload } from "./preload.ts";
import { bridgeAddress, dockerEndpoint, socketPath, socketDirectory, socketGroup } from "./profile.ts";
import type { GraphVolume, InjectionRequest } from "./request.ts";
import { shellFunction } from "./shell-function.ts";
import { isOlder } from "./version.ts";

/** Names of ours in a Pod: long enough that no chart uses them. */
export const sidecarName = "kubectl-fabric-dind";
export const preloaderName = "kubectl-fabric-preload";
/** The container that stops idle chaincode. */
export const idlerName = "kubectl-fabric-idle";
export const socketVolume = "kubectl-fabric-socket";
export const graphVolume = "kubectl-fabric-graph";

/**
 * The directory of Docker's data in the graph volume. Not the volume's root: dockerd makes its directory 0710, and with `fsGroup` and
 * `fsGroupChangePolicy: OnRootMismatch` the kubelet would then change every file of every image at each start.
 */
const dataDirectory = "data";

const startAloneScript = readFileSync(new URL("./start-alone.sh", import.meta.url), "utf8");
const awaitReadyScript = readFileSync(new URL("./await-ready.sh", import.meta.url), "utf8");

/** How the sidecar starts before the peer: as a native sidecar, or as a container whose postStart hook delays the next container. */
export type SidecarForm = "native" | "container";

/**
 * Native sidecars (KEP-753) are on by default from 1.29. Every kubelet must know them, and the API server, which drops the field
 * otherwise. An unknown version counts as a supported one.
 */
export function sidecarForm(cluster: ClusterFacts): SidecarForm {
  const version = oldestVersion(cluster);
  return version !== undefined && isOlder(version, "1.29") ? "container" : "native";
}

/** The sidecar's container, out of its profile and the request. */
export function sidecarContainer(
  request: InjectionRequest,
  form: SidecarForm,
  spec: V1PodSpec,
  preload: Preload,
  mtu: number | undefined,
): V1Container {
  const { profile, image, resources } = request;
  return {
    name: sidecarName,
    image,
    ...(profile.entrypoint === undefined ? {} : { command: startedAlone(profile.entrypoint, profile.graph) }),
    args: argumentsOf(request, mtu),
    env: [...profile.environment, ...(form === "container" ? preload.environment : [])],
    ...(form === "native"
      ? { restartPolicy: "Always" }
      : { lifecycle: { postStart: { exec: { command: heldStart(request, preload) } } } }),
    resources: resourceRequirements(resources, ephemeralStorage(request.graph, spec)),
    securityContext: { ...profile.securityContext, ...appArmor(spec) },
    ...(form === "native" ? { startupProbe: startupProbe(profile.ready) } : {}),
    ...(form === "native" && profile.alive !== undefined ? { livenessProbe: livenessProbe(profile.alive) } : {}),
    volumeMounts: [
      { name: socketVolume, mountPath: socketDirectory },
      { name: graphVolume, mountPath: profile.graph },
      ...(form === "container" ? preload.mounts : []),
    ],
  };
}

/**
 * A lock lets one daemon at a time use a graph. After a Pod was deleted by force, its daemon may still run when the next Pod starts. When
 * it is told to end, it finishes loading an image after its containerd has released the graph. The next daemon would not know these
 * layers, and refuse them from then on ("rename ...: file exists"). The lock ends with the last process that has inherited it.
 * The wait is not longer than the probe allows, and there is none without flock.
 */
function startedAlone(entrypoint: string, graph: string): string[] {
  return ["sh", "-c", startAloneScript, `${graph}/kubectl-fabric.lock`, entrypoint];
}

/** Two minutes: a graph of many layers on slow storage takes its time. */
function startupProbe(command: readonly string[]) {
  return { exec: { command: [...command] }, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 120 };
}

/**
 * Three minutes without any answer: a restart ends all chaincode, so only a sidecar that hangs for good is restarted. By exec and not by
 * HTTP: a mesh with mutual TLS would keep the kubelet from the port. A command that cannot be executed is no failure (pkg/probe/exec).
 */
function livenessProbe(command: readonly string[]) {
  return { exec: { command: [...command] }, periodSeconds: 30, timeoutSeconds: 20, failureThreshold: 6 };
}

function argumentsOf(
  { profile, registryMirror, mtu: wanted, chaincodeNetwork }: InjectionRequest,
  found: number | undefined,
): string[] {
  const mtu = wanted ?? found;
  const values: Readonly<Record<string, string | undefined>> = {
    socket: socketPath,
    data: `${profile.graph}/${dataDirectory}`,
    group: String(socketGroup),
    mtu: mtu === undefined ? undefined : String(mtu),
    mirror: registryMirror,
    bridge: chaincodeNetwork === "bridge" ? `${bridgeAddress}/16` : undefined,
  };
  return profile.arguments.flatMap((argument) => fill(argument, values) ?? []);
}

/** An argument with its placeholders filled in; undefined when a value is not known. */
function fill(argument: string, values: Readonly<Record<string, string | undefined>>): string | undefined {
  if (!argument.includes("{")) return argument;
  let known = true;
  const filled = argument.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    known &&= value !== undefined;
    return value ?? "";
  });
  return known ? filled : undefined;
}

function resourceRequirements(
  resources: InjectionRequest["resources"],
  { request, limit }: Amount,
): V1ResourceRequirements {
  return {
    requests: { cpu: resources.cpuRequest, memory: resources.memoryRequest, ...request },
    limits: { cpu: resources.cpuLimit, memory: resources.memoryLimit, ...limit },
  };
}

interface Amount {
  readonly request?: Readonly<Record<string, string>>;
  readonly limit?: Readonly<Record<string, string>>;
}

/**
 * As soon as one container has a limit of ephemeral storage, the kubelet evicts a Pod whose emptyDirs and containers use more than the
 * sum of these limits (pkg/kubelet/eviction, podEphemeralStorageLimitEviction): a peer's limit of 1 GiB would then hold for all its
 * images. Hence the sidecar has a limit, too. The request is set because it would else be equal to the limit.
 */
function ephemeralStorage(graph: GraphVolume, { initContainers, containers }: V1PodSpec): Amount {
  const name = "ephemeral-storage";
  const limited = [...(initContainers ?? []), ...containers].some(
    (container) => container.name !== sidecarName && container.resources?.limits?.[name] !== undefined,
  );
  if (!limited || graph.kind !== "emptyDir") return {};
  return { request: { [name]: "0" }, limit: { [name]: graph.sizeLimit } };
}

/** Overrides a Pod's AppArmor profile for the sidecar. The field came with 1.30: it is written only when the Pod has it already. */
function appArmor({ securityContext }: V1PodSpec) {
  return securityContext?.appArmorProfile ? { appArmorProfile: { type: "Unconfined" } } : {};
}

/**
 * The command of the postStart hook. The kubelet starts containers in order and waits for each hook, so this one delays the peer. When
 * the daemon is not ready within two minutes, the hook fails, and the kubelet restarts the container.
 */
function heldStart({ profile }: InjectionRequest, { script, images }: Preload): string[] {
  return ["sh", "-c", `${shellFunction("ready", profile.ready)}\n${awaitReadyScript}${script}`, "start", ...images];
}

/**
 * An init container that pulls images into the daemon before the peer starts. Only for native sidecars: an ordinary container starts
 * after all init containers. Pull secrets are mounted here alone, so that neither the daemon nor chaincode can read them. Images
 * that the peer has pulled later are pulled without them (Fabric sends no credentials with a build).
 */
export function preloadContainer({ image }: InjectionRequest, preload: Preload): V1Container {
  return {
    name: preloaderName,
    image,
    command: ["sh", "-c", preload.script, "preload", ...preload.images],
    env: [{ name: "DOCKER_HOST", value: dockerEndpoint }, { name: "HOME", value: "/tmp" }, ...preload.environment],
    resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { cpu: "1", memory: "128Mi" } },
    securityContext: clientSecurity(),
    volumeMounts: [peerMount(), ...preload.mounts],
  };
}

/** The security context of a container that calls the daemon: it may use the socket, and nothing else. */
export function clientSecurity(): V1SecurityContext {
  return {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ["ALL"] },
    readOnlyRootFilesystem: true,
    runAsUser: 65_534,
    runAsGroup: socketGroup,
    runAsNonRoot: true,
    seccompProfile: { type: "RuntimeDefault" },
  };
}

/** Read-only: clients can still connect to the socket, but only the daemon can replace it. */
export function peerMount(): V1VolumeMount {
  return { name: socketVolume, mountPath: socketDirectory, readOnly: true };
}

export function sidecarVolumes({ graph }: InjectionRequest, preload: Preload): V1Volume[] {
  const source =
    graph.kind === "claim"
      ? { persistentVolumeClaim: { claimName: graph.claim } }
      : { emptyDir: { sizeLimit: graph.sizeLimit } };
  return [{ name: socketVolume, emptyDir: {} }, { name: graphVolume, ...source }, ...preload.volumes];
}

/** Whether a Pod has a sidecar of ours, in either form. */
export function hasSidecar({ spec }: V1Pod): boolean {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].some(({ name }) => name === sidecarName);
}
