import { hash } from "node:crypto";
import type { V1Container, V1Pod, V1PodSpec } from "@kubernetes/client-node";
// applyPatch is in the default export alone: Node does not see the other names in this CommonJS module.
import jsonPatch, { escapePathComponent, type Operation } from "fast-json-patch";
import { annotationKeys, documentationOf } from "./annotations.ts";
import type { ClusterFacts } from "./cluster.ts";
import { removeNodeSockets } from "./docker-socket.ts";
import { builderWarnings } from "./external-builder.ts";
import { checkFound, contentOf, nameOfOurs, secondGraph, type PlannedInjection } from "./found-injection.ts";
import { idleContainer } from "./idle.ts";
import { listOperations } from "./list-edit.ts";
import { Denial, denialStatus, type Outcome, type SkipReason, type Warning } from "./outcome.ts";
import { findOwnDaemon, notAllowed } from "./own-daemon.ts";
import { checkPeerImage, findPeerContainer, type PeerContainer } from "./peer-container.ts";
import { commandWarnings, dockerWarnings, fabricWarnings, wirePeer } from "./peer-wiring.ts";
import { checkPod, checkProfile, podWarnings, reservedName, sharedGraph } from "./pod-checks.ts";
import { checkShape } from "./pod-shape.ts";
import { podResourceOperations } from "./pod-resources.ts";
import { preloadOf } from "./preload.ts";
import { dockerEndpoint, socketGroup } from "./profile.ts";
import { parseRequest, type InjectionRequest } from "./request.ts";
import type { InjectionSettings } from "./settings.ts";
import { peerMount, preloadContainer, sidecarContainer, sidecarForm, sidecarVolumes, socketVolume } from "./sidecar.ts";

/** The inputs of the injection besides the Pod. */
export interface InjectionContext {
  readonly settings: InjectionSettings;
  readonly cluster: ClusterFacts;
  /** kubectl-fabric's version, for the Pod's annotation `injected`. */
  readonly version: string;
}

/**
 * Decides on one Pod: untouched, injected by JSON patch operations, or denied. Pure; does not change the Pod.
 * Injecting the result again changes nothing.
 */
export function inject(pod: V1Pod, context: InjectionContext): Outcome {
  const skip = skipReason(pod);
  if (skip !== undefined) return { kind: "untouched", reason: skip };
  try {
    return decide(pod, context);
  } catch (thrown) {
    if (!(thrown instanceof Denial)) throw thrown;
    const { reason, message, problem } = thrown;
    return { kind: "denied", reason, status: denialStatus[reason], message, problem };
  }
}

/** As `inject`, with the resulting Pod; an untouched Pod is returned itself. */
export function injectPod(pod: V1Pod, context: InjectionContext): Outcome & { readonly pod?: V1Pod } {
  const outcome = inject(pod, context);
  if (outcome.kind === "untouched") return { ...outcome, pod };
  return outcome.kind === "injected" ? { ...outcome, pod: applyOperations(pod, outcome.operations) } : outcome;
}

/** Applies JSON patch operations to a copy of the Pod; changes neither the Pod nor the operations. */
export function applyOperations(pod: V1Pod, operations: readonly Operation[]): V1Pod {
  return jsonPatch.applyPatch(structuredClone(pod), structuredClone([...operations]), true).newDocument;
}

/** The kubelet's annotation on the API server's copy of a static Pod. */
const mirrorAnnotation = "kubernetes.io/config.mirror";

/** Why a Pod is left alone, by the Pod alone; undefined when settings and cluster have to decide. */
export function skipReason({ metadata }: V1Pod): SkipReason | undefined {
  const annotations = metadata?.annotations ?? {};
  const wish = annotations[annotationKeys.inject];
  if (wish === undefined) return "no-annotation";
  if (wish === "false") return "disabled";
  return annotations[mirrorAnnotation] === undefined ? undefined : "mirror-pod";
}

function decide(pod: V1Pod, context: InjectionContext): Outcome {
  checkShape(pod);
  const annotations = pod.metadata?.annotations ?? {};
  rejectWish(annotations[annotationKeys.inject] ?? "");
  const request = parseRequest(annotations, context.settings);
  checkPod(pod);
  const peer = findPeerContainer(pod, request.peerContainer);
  checkPeerImage(peer, context.settings);
  const plan = planFor(pod, peer, request, context);
  const marked = annotations[annotationKeys.injected]?.endsWith(`/${fingerprint(plan)}`) === true;
  if (marked && plan.operations.length === 0) return { kind: "untouched", reason: "already-injected" };
  const mark: Operation = {
    op: "add",
    path: `/metadata/annotations/${escapePathComponent(annotationKeys.injected)}`,
    value: `${context.version}/${fingerprint(plan)}`,
  };
  return {
    kind: "injected",
    operations: [...plan.operations, mark],
    warnings: plan.warnings,
    peerContainer: peer.container.name,
    profile: request.profile.name,
    ...(plan.ownDaemon === undefined ? {} : { ownDaemon: plan.ownDaemon }),
  };
}

function rejectWish(value: string): void {
  if (value === "true") return;
  const key = annotationKeys.inject;
  throw new Denial("invalid-value", { key, value, allowed: '"true" or "false"', documentation: documentationOf(key) });
}

/** The changes that one Pod needs. */
interface Plan {
  readonly operations: readonly Operation[];
  readonly warnings: readonly Warning[];
  /** The injection in the resulting Pod, for its fingerprint. */
  readonly content: unknown;
  readonly ownDaemon?: { readonly container: string; readonly endpoint: string };
}

/** A hash of an injection: equal when injecting again would give the same. */
function fingerprint({ content }: Plan): string {
  return hash("sha256", JSON.stringify(content), "hex").slice(0, 12);
}

function planFor(pod: V1Pod, peer: PeerContainer, request: InjectionRequest, context: InjectionContext): Plan {
  const ours = nameOfOurs(pod, peer);
  const marked = pod.metadata?.annotations?.[annotationKeys.injected] !== undefined;
  if (ours !== undefined && !marked) throw reservedName(ours);
  const daemon = findOwnDaemon(pod, peer.container, request.dockerSocket === "deny");
  const warnings = [
    ...fabricWarnings(peer.container),
    ...commandWarnings(peer.container),
    ...builderWarnings(peer.container, request.wiring),
  ];
  if (daemon !== undefined) {
    if (ours !== undefined) throw reservedName(ours);
    if (context.settings.ownDaemon === "deny") throw notAllowed(daemon.container);
    if (request.chaincodeIdle !== undefined) {
      throw noIdling(
        pod,
        `works with the injected daemon, but the Pod brings its own (container ${daemon.container.name})`,
      );
    }
    const { endpoint, container } = daemon;
    const image = container.image ?? "";
    const wired = wire(pod, peer, request, endpoint, { volumes: [], mounts: [] });
    const found = [...warnings, ...daemon.warnings, ...dockerWarnings(peer.container, image)];
    return {
      ...wired,
      warnings: [...found, ...wired.warnings],
      content: { endpoint, wiring: request.wiring },
      ownDaemon: { container: container.name, endpoint },
    };
  }
  return withSidecar(pod, peer, request, context, { warnings, found: ours !== undefined });
}

function withSidecar(
  pod: V1Pod,
  peer: PeerContainer,
  request: InjectionRequest,
  { cluster, settings }: InjectionContext,
  { warnings, found }: { readonly warnings: readonly Warning[]; readonly found: boolean },
): Plan {
  const { profile } = request;
  checkProfile(pod, profile, cluster);
  const spec = pod.spec ?? { containers: [] };
  const form = sidecarForm(cluster);
  if (form === "container" && request.chaincodeIdle !== undefined) {
    throw noIdling(pod, "needs native sidecars: expected Kubernetes 1.29 or newer on every node");
  }
  const second = request.graph.kind === "claim" ? secondGraph(pod, request.graph.claim) : undefined;
  if (second !== undefined) throw sharedGraph(second);
  const plan = plannedInjection(spec, peer, request, cluster);
  if (found) {
    // `kubectl fabric inject` knows no facts about the cluster unless they are given.
    const offline = sidecarForm({}) === form ? [plannedInjection(spec, peer, request, {})] : [];
    checkFound(pod, peer, [plan, ...offline], { ...settings, images: settings.images[profile.name] });
  }
  const mounted = (peer.container.volumeMounts ?? []).some(({ name }) => name === socketVolume);
  const wired = wire(pod, peer, request, dockerEndpoint, {
    volumes: found ? [] : [...plan.volumes],
    mounts: mounted ? [] : [peerMount()],
  });
  const added = found ? [] : sidecarOperations(pod, peer, plan);
  const there = found ? spec : plan;
  return {
    operations: [...wired.operations, ...podOperations(spec, request), ...added],
    warnings: [
      ...warnings,
      ...dockerWarnings(peer.container, request.image),
      ...podWarnings(pod, request, form),
      ...wired.warnings,
    ],
    content: {
      wiring: request.wiring,
      injected: contentOf([...(there.initContainers ?? []), ...there.containers], there.volumes ?? []),
    },
  };
}

/** The containers and volumes of one injection, by the Pod's lists. */
function plannedInjection(
  spec: V1PodSpec,
  peer: PeerContainer,
  request: InjectionRequest,
  cluster: ClusterFacts,
): PlannedInjection {
  const form = sidecarForm(cluster);
  const preload = preloadOf(request, spec, cluster);
  const sidecar = sidecarContainer(request, form, spec, preload, cluster.mtu);
  const volumes = sidecarVolumes(request, preload);
  if (form === "container") return { initContainers: [], containers: [sidecar], volumes };
  const initContainers = [
    sidecar,
    ...(preload.script === "" ? [] : [preloadContainer(request, preload)]),
    ...(request.chaincodeIdle === undefined ? [] : [idleContainer(request, peer)]),
  ];
  return { initContainers, containers: [], volumes };
}

function noIdling({ metadata }: V1Pod, why: string): Denial {
  const key = annotationKeys.chaincodeIdle;
  const value = metadata?.annotations?.[key] ?? "";
  const problem = { key, value, allowed: "nothing", documentation: documentationOf(key) };
  return new Denial("contradiction", problem, `${key} ${why}`);
}

/** Changes the peer's environment and mounts, and the Pod's volumes: alike for our sidecar and for a daemon of the Pod's own. */
function wire(
  pod: V1Pod,
  peer: PeerContainer,
  request: InjectionRequest,
  endpoint: string,
  added: {
    readonly volumes: NonNullable<V1PodSpec["volumes"]>;
    readonly mounts: NonNullable<V1Container["volumeMounts"]>;
  },
): { readonly operations: readonly Operation[]; readonly warnings: readonly Warning[] } {
  const sockets = removeNodeSockets(pod, peer, request.dockerSocket);
  const path = `/spec/containers/${peer.index}`;
  const environment = wirePeer(peer.container, endpoint, request.wiring, request.profile.peerEnvironment ?? []);
  return {
    operations: [
      ...listOperations(`${path}/env`, peer.container.env, environment),
      ...listOperations(`${path}/volumeMounts`, peer.container.volumeMounts, {
        remove: sockets.mounts,
        append: added.mounts,
      }),
      ...listOperations("/spec/volumes", pod.spec?.volumes, { remove: sockets.volumes, append: added.volumes }),
    ],
    warnings: sockets.warnings,
  };
}

/** Changes of the Pod's own fields: the socket's group, and those that the profile needs. */
function podOperations(
  { securityContext, hostUsers, runtimeClassName }: V1PodSpec,
  { profile }: InjectionRequest,
): readonly Operation[] {
  const groups = securityContext?.supplementalGroups;
  const group: Operation[] =
    securityContext === null || securityContext === undefined
      ? [{ op: "add", path: "/spec/securityContext", value: { supplementalGroups: [socketGroup] } }]
      : listOperations("/spec/securityContext/supplementalGroups", groups, {
          append: (groups ?? []).includes(socketGroup) ? [] : [socketGroup],
        });
  const wanted: Operation[] = [];
  if (profile.pod.hostUsers === false && hostUsers !== false)
    wanted.push({ op: "add", path: "/spec/hostUsers", value: false });
  if (profile.pod.runtimeClassName !== undefined && runtimeClassName !== profile.pod.runtimeClassName) {
    wanted.push({ op: "add", path: "/spec/runtimeClassName", value: profile.pod.runtimeClassName });
  }
  return [...group, ...wanted];
}

/** Names the container that kubectl logs and exec use by default; without it, they use the first. */
const defaultContainerAnnotation = "kubectl.kubernetes.io/default-container";

function sidecarOperations(
  { metadata, spec }: V1Pod,
  peer: PeerContainer,
  { initContainers, containers }: PlannedInjection,
): readonly Operation[] {
  const resources = spec === undefined ? [] : podResourceOperations(spec, [...initContainers, ...containers]);
  const first = [
    ...resources,
    ...listOperations("/spec/initContainers", spec?.initContainers, { prepend: initContainers }),
  ];
  if (containers.length === 0) return first;
  const named = metadata?.annotations?.[defaultContainerAnnotation] !== undefined;
  const path = `/metadata/annotations/${escapePathComponent(defaultContainerAnnotation)}`;
  return [
    ...first,
    ...(named ? [] : [{ op: "add" as const, path, value: peer.container.name }]),
    ...listOperations("/spec/containers", spec?.containers, { prepend: containers }),
  ];
}
