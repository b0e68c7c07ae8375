import type { V1Container, V1Pod, V1VolumeMount } from "@kubernetes/client-node";
import { annotationKeys, documentationOf } from "./annotations.ts";
import { literal } from "./environment.ts";
import { imageName, parseImage } from "./image.ts";
import { below } from "./mount-path.ts";
import { isNodeSocket } from "./node-socket.ts";
import { Denial, settingsPlace, type Warning } from "./outcome.ts";
import { idlerName, sidecarName } from "./sidecar.ts";

/** A Docker daemon of the Pod's own: the peer is wired to it, and gets no sidecar. */
export interface OwnDaemon {
  readonly container: V1Container;
  /** The value of CORE_VM_ENDPOINT by which the peer reaches it. */
  readonly endpoint: string;
  readonly warnings: readonly Warning[];
}

const defaultSocketPath = "/var/run/docker.sock";
/** Listeners of the arguments that count: each is compared with every mount, and a Pod may have very many. */
const mostListeners = 20;
const defaultGraphPath = "/var/lib/docker";

/** Whether a container runs a Docker daemon: an image of that name, or the command. */
export function isDaemon({ name, image, command, args }: V1Container): boolean {
  if (name === sidecarName) return true;
  if (name === idlerName) return false; // the same image, as a client
  const parsed = parseImage(image ?? "");
  const named = parsed !== undefined && (imageName(parsed).includes("dind") || (parsed.tag ?? "").includes("dind"));
  return (
    named ||
    [...(command ?? []), ...(args ?? [])].some((word) => /(?:^|[\s/])dockerd(?:-entrypoint\.sh)?(?:$|\s)/.test(word))
  );
}

/**
 * Finds a daemon of the Pod's own among its containers and native sidecars.
 * Throws Denial when the peer cannot reach it, or under `strict` when it listens on TCP or has no volume for its data.
 */
export function findOwnDaemon(pod: V1Pod, peer: V1Container, strict: boolean): OwnDaemon | undefined {
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  const container = [...sidecars, ...(pod.spec?.containers ?? [])].find(
    (candidate) => candidate.name !== peer.name && candidate.name !== sidecarName && isDaemon(candidate),
  );
  if (container === undefined) return undefined;
  const endpoint = endpointOf(pod, peer, container);
  if (endpoint === undefined) throw unreachable(container);
  const warnings = [...tcpWarning(container), ...graphWarning(container)];
  const [unsafe] = warnings;
  if (strict && unsafe !== undefined) throw refused(container, unsafe);
  return { container, endpoint, warnings };
}

/** The endpoint in the peer's own variables, if it is within this Pod; else one on which the daemon listens. */
function endpointOf(pod: V1Pod, peer: V1Container, daemon: V1Container): string | undefined {
  const shared = sharedVolumes(pod, peer, daemon);
  const said = [literal(peer, "CORE_VM_ENDPOINT"), literal(peer, "DOCKER_HOST")].map((text) =>
    localEndpoint(text, shared),
  );
  const heard = listeners(daemon).map((host) => seenByPeer(host, shared));
  const withTls = said.filter((endpoint) => speaksTls(peer, endpoint));
  return [...said, ...heard].find((endpoint) => endpoint !== undefined && !withTls.includes(endpoint));
}

/** Docker's port for TLS. */
const tlsPort = "2376";

/** Whether an endpoint in the peer's variables is one for TLS, which the wiring turns off: the peer says so, or else the port does. */
function speaksTls(peer: V1Container, endpoint: string | undefined): boolean {
  const port = /^tcp:.*:(\d+)$/.exec(endpoint ?? "")?.[1];
  if (port === undefined) return false;
  const enabled = literal(peer, "CORE_VM_DOCKER_TLS_ENABLED");
  // Fabric reads it by Go's strconv.ParseBool.
  return enabled === undefined ? port === tlsPort : /^(?:1|t|T|true|TRUE|True)$/.test(enabled);
}

/** One volume, with its mounts in the daemon and in the peer. */
interface SharedVolume {
  readonly daemon: V1VolumeMount;
  readonly peer: V1VolumeMount;
}

function sharedVolumes(pod: V1Pod, peer: V1Container, daemon: V1Container): readonly SharedVolume[] {
  const node = new Set((pod.spec?.volumes ?? []).filter(isNodeSocket).map(({ name }) => name));
  return (peer.volumeMounts ?? []).flatMap((mount) =>
    (daemon.volumeMounts ?? [])
      .filter(({ name }) => name === mount.name && !node.has(name))
      .map((other) => ({ daemon: other, peer: mount })),
  );
}

/** An endpoint within the Pod, with a scheme, which Fabric's Docker client requires; undefined for others. */
function localEndpoint(text: string | undefined, shared: readonly SharedVolume[]): string | undefined {
  if (text === undefined) return undefined;
  const path = /^unix:\/\/(\/.*)$/.exec(text)?.[1];
  if (path !== undefined)
    return shared.some(({ peer }) => below(path, peer.mountPath) !== undefined) ? text : undefined;
  const port = /^(?:(?:tcp|http):\/\/)?(?:localhost|127\.0\.0\.1):(\d+)\/?$/.exec(text)?.[1];
  return port === undefined ? undefined : `tcp://localhost:${port}`;
}

/** The daemon's listeners, sockets first. */
function listeners(daemon: V1Container): readonly string[] {
  const words = [...(daemon.command ?? []), ...(daemon.args ?? [])].flatMap((word) => word.split(/\s+/));
  const hosts = words.flatMap((word, index) => {
    const joined = /^(?:--host=|-H=?)(.+)$/.exec(word)?.[1];
    const next = word === "--host" || word === "-H" ? words[index + 1] : undefined;
    return joined ?? next ?? [];
  });
  const defaults = addsDefaultListeners(daemon) ? [`unix://${defaultSocketPath}`, ...plainTcp(daemon)] : [];
  const given = hosts.length === 0 && defaults.length === 0 ? [`unix://${defaultSocketPath}`] : hosts;
  return [...given.slice(0, mostListeners), ...defaults].toSorted(
    (a, b) => Number(b.startsWith("unix:")) - Number(a.startsWith("unix:")),
  );
}

/** Whether the official image's entrypoint adds a socket and a TCP port: it does when the arguments do not begin with a command. */
function addsDefaultListeners({ command, args }: V1Container): boolean {
  const viaEntrypoint =
    command === undefined || command === null || command.some((word) => word.endsWith("dockerd-entrypoint.sh"));
  const first = (command ?? []).slice(1)[0] ?? args?.[0];
  return viaEntrypoint && (first === undefined || first.startsWith("-"));
}

/** With an empty DOCKER_TLS_CERTDIR the daemon has no TLS: its port is 2375, without authentication. */
function plainTcp(daemon: V1Container): readonly string[] {
  return literal(daemon, "DOCKER_TLS_CERTDIR") === "" ? ["tcp://0.0.0.0:2375"] : [];
}

function seenByPeer(host: string, shared: readonly SharedVolume[]): string | undefined {
  const port = /^tcp:\/\/.*:(\d+)$/.exec(host)?.[1];
  if (port !== undefined) return port === tlsPort ? undefined : `tcp://localhost:${port}`;
  const path = host.replace(/^unix:\/\//, "").replace(/^\/run\//, "/var/run/");
  for (const { daemon, peer } of shared) {
    const rest = below(path, daemon.mountPath.replace(/^\/run(?=\/|$)/, "/var/run"));
    if (rest !== undefined && daemon.subPath === peer.subPath)
      return `unix://${peer.mountPath.replace(/\/$/, "")}${rest}`;
  }
  return undefined;
}

function tcpWarning(container: V1Container): readonly Warning[] {
  const open = listeners(container).some((host) => host.startsWith("tcp:"));
  if (!open) return [];
  const message = `container ${container.name} opens Docker on TCP: chaincode in host network mode can own the node; start its arguments with "dockerd" and name a unix socket only`;
  return [{ reason: "own-daemon-tcp", message }];
}

function graphWarning({ name, args, command, volumeMounts }: V1Container): readonly Warning[] {
  const words = [...(command ?? []), ...(args ?? [])].join(" ");
  const graph = /--(?:data-root|graph)[=\s](\S+)/.exec(words)?.[1] ?? defaultGraphPath;
  if ((volumeMounts ?? []).some(({ mountPath }) => below(graph, mountPath) !== undefined)) return [];
  const message = `container ${name} keeps ${graph} on its root file system: mount a volume there, or overlay on overlay fails and the data is charged to nobody`;
  return [{ reason: "own-daemon-graph", message }];
}

function problemOf({ name }: V1Container, allowed: string) {
  const key = annotationKeys.dockerSocket;
  return { key, value: name, allowed, documentation: documentationOf("own daemon") };
}

function unreachable(container: V1Container): Denial {
  const allowed = "a Docker socket on a volume that both containers mount, or Docker without TLS on localhost";
  const sentence = `container ${container.name} runs Docker where the peer cannot reach it: expected ${allowed}; or remove that container to get a sidecar of ours`;
  return new Denial("own-daemon", problemOf(container, allowed), sentence);
}

/** The denial when the operator allows no daemon but ours. */
export function notAllowed(container: V1Container): Denial {
  const allowed = "no daemon but the injected one";
  const problem = { ...problemOf(container, allowed), setting: "ownDaemon" };
  return new Denial(
    "own-daemon",
    problem,
    `container ${container.name} runs Docker, and a daemon of the Pod's own is not allowed (ownDaemon: deny in ${settingsPlace}): remove that container to get a sidecar of ours`,
  );
}

function refused(container: V1Container, { message }: Warning): Denial {
  return new Denial("own-daemon", problemOf(container, "a daemon without TCP port and with a graph volume"), message);
}
