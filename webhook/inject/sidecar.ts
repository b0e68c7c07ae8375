import type {
  V1Container,
  V1Pod,
  V1PodSpec,
  V1ResourceRequirements,
  V1Volume,
  V1VolumeMount,
} from "@kubernetes/client-node";
import { oldestVersion, type ClusterFacts } from "./cluster.ts";
import { BRIDGE_ADDRESS, ENDPOINT, SOCKET, SOCKET_DIRECTORY, SOCKET_GROUP } from "./profile.ts";
import type { GraphVolume, InjectionRequest } from "./request.ts";
import { isOlder } from "./version.ts";

/** Names of ours in a Pod: long enough that no chart uses them. */
export const SIDECAR = "kubectl-fabric-dind";
export const PRELOADER = "kubectl-fabric-preload";
/** Stops chaincode that nobody calls. */
export const IDLER = "kubectl-fabric-idle";
export const SOCKET_VOLUME = "kubectl-fabric-socket";
export const GRAPH_VOLUME = "kubectl-fabric-graph";

/**
 * Docker's data within the graph volume. Not the volume's root: dockerd makes its directory 0710, and with `fsGroup` and
 * `fsGroupChangePolicy: OnRootMismatch` the kubelet would then change every file of every image at each start.
 */
const DATA_DIRECTORY = "data";

/** How the sidecar is started before the peer: as a native sidecar, or as a container whose postStart hook holds the next one back. */
export type SidecarForm = "native" | "container";

/**
 * Native sidecars (KEP-753) are on by default from 1.29; both the API server, which else drops the field, and every kubelet
 * must know them. An unknown version is taken for a supported one.
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
  mtu: number | undefined,
): V1Container {
  const { profile, image, resources } = request;
  return {
    name: SIDECAR,
    image,
    args: argumentsOf(request, mtu),
    env: [...profile.environment],
    ...(form === "native"
      ? { restartPolicy: "Always" }
      : { lifecycle: { postStart: { exec: { command: heldStart(request) } } } }),
    resources: resourceRequirements(resources),
    securityContext: { ...profile.securityContext, ...appArmor(spec) },
    ...(form === "native" ? { startupProbe: startupProbe(profile.ready) } : {}),
    volumeMounts: [
      { name: SOCKET_VOLUME, mountPath: SOCKET_DIRECTORY },
      { name: GRAPH_VOLUME, mountPath: profile.graph },
    ],
  };
}

/** Two minutes: a graph of many layers on slow storage takes its time. */
function startupProbe(command: readonly string[]) {
  return { exec: { command: [...command] }, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 120 };
}

function argumentsOf(
  { profile, registryMirror, mtu: wanted, chaincodeNetwork }: InjectionRequest,
  found: number | undefined,
): string[] {
  const mtu = wanted ?? found;
  const values: Readonly<Record<string, string | undefined>> = {
    socket: SOCKET,
    data: `${profile.graph}/${DATA_DIRECTORY}`,
    group: String(SOCKET_GROUP),
    mtu: mtu === undefined ? undefined : String(mtu),
    mirror: registryMirror,
    bridge: chaincodeNetwork === "bridge" ? `${BRIDGE_ADDRESS}/16` : undefined,
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

function resourceRequirements(resources: InjectionRequest["resources"]): V1ResourceRequirements {
  return {
    requests: { cpu: resources.cpuRequest, memory: resources.memoryRequest },
    limits: { cpu: resources.cpuLimit, memory: resources.memoryLimit },
  };
}

/** A Pod's AppArmor profile would be the sidecar's too. The field is of 1.30: it is written only where the Pod has it already. */
function appArmor({ securityContext }: V1PodSpec) {
  return securityContext?.appArmorProfile ? { appArmorProfile: { type: "Unconfined" } } : {};
}

/**
 * The kubelet starts containers in order and waits for each postStart hook, so this one holds back the peer. It is killed, and
 * tried again, when the daemon is not ready within two minutes.
 */
function heldStart({ profile, preload }: InjectionRequest): string[] {
  const wait = `n=0; until ${shell(profile.ready)} >/dev/null 2>&1; do n=$((n+1)); [ "$n" -lt 120 ] || exit 1; sleep 1; done`;
  return ["sh", "-c", [wait, ...(preload.length === 0 ? [] : [PULL])].join("; "), "start", ...preload];
}

function shell(command: readonly string[]): string {
  return command.map((word) => (/^[\w./:=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}

/** An image that cannot be had must not keep the peer from starting: the build that wants it will say so. */
const PULL = `for image do docker image inspect "$image" >/dev/null 2>&1 || docker pull "$image" || echo "preload: $image failed" >&2; done`;

/** An init container that pulls images into the daemon before the peer starts: after a native sidecar, for a plain one it is too early. */
export function preloadContainer({ image, preload }: InjectionRequest): V1Container {
  return {
    name: PRELOADER,
    image,
    command: ["sh", "-c", PULL, "preload", ...preload],
    env: [
      { name: "DOCKER_HOST", value: ENDPOINT },
      { name: "HOME", value: "/tmp" },
    ],
    resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { cpu: "1", memory: "128Mi" } },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
      runAsUser: 65_534,
      runAsGroup: SOCKET_GROUP,
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    },
    volumeMounts: [peerMount()],
  };
}

/** Read-only: a socket can be connected to all the same, and nobody but the daemon can put another one in its place. */
export function peerMount(): V1VolumeMount {
  return { name: SOCKET_VOLUME, mountPath: SOCKET_DIRECTORY, readOnly: true };
}

export function sidecarVolumes(graph: GraphVolume): V1Volume[] {
  const source =
    graph.kind === "claim"
      ? { persistentVolumeClaim: { claimName: graph.claim } }
      : { emptyDir: { sizeLimit: graph.sizeLimit } };
  return [
    { name: SOCKET_VOLUME, emptyDir: {} },
    { name: GRAPH_VOLUME, ...source },
  ];
}

/** Whether a Pod has a sidecar of ours, in either form. */
export function hasSidecar({ spec }: V1Pod): boolean {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].some(({ name }) => name === SIDECAR);
}
