// Injected Pods, and what somebody could change in them: for the webhook (found-injection.test.ts), and for the API server's policy.
import type { V1Container, V1Pod } from "@kubernetes/client-node";
import { ANNOTATIONS } from "../../../webhook/inject/annotations.ts";
import type { ClusterFacts } from "../../../webhook/inject/cluster.ts";
import { injectPod, type InjectionContext } from "../../../webhook/inject/inject.ts";
import { parseSettings } from "../../../webhook/inject/settings.ts";

export const TODAY: ClusterFacts = {
  apiServer: { major: 1, minor: 36, patch: 0 },
  oldestKubelet: { major: 1, minor: 36, patch: 0 },
  mtu: 1450,
};
export const OLD: ClusterFacts = { apiServer: { major: 1, minor: 28, patch: 0 }, mtu: 1450 };

export function contextOf(cluster: ClusterFacts, settings: unknown = {}): InjectionContext {
  const parsed = parseSettings(settings);
  if (!parsed.valid) throw new Error(JSON.stringify(parsed.problems));
  return { settings: parsed.settings, cluster, version: "1.0.0" };
}

export const context = contextOf(TODAY);
export const old = contextOf(OLD);

export function peerPod(annotations: Record<string, string> = {}): V1Pod {
  return {
    metadata: { annotations: { [ANNOTATIONS.inject]: "true", ...annotations } },
    spec: {
      imagePullSecrets: [{ name: "pull" }],
      containers: [
        { name: "peer", image: "hyperledger/fabric-peer:2.5.15" },
        { name: "couchdb", image: "couchdb:3" },
      ],
    },
  };
}

/** Everything that the injection can add. */
export const WHOLE = { [ANNOTATIONS.preload]: "hyperledger/fabric-nodeenv:2.5", [ANNOTATIONS.chaincodeIdle]: "10m" };

export function injected(pod: V1Pod, by: InjectionContext = context): V1Pod {
  const outcome = injectPod(pod, by);
  if (outcome.kind !== "injected" || outcome.pod === undefined) throw new Error(JSON.stringify(outcome));
  return outcome.pod;
}

export function named(pod: V1Pod, name: string): V1Container & Record<string, unknown> {
  const all = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const found = all.find((container) => container.name === name);
  if (found === undefined) throw new Error(`no container ${name}`);
  return found as V1Container & Record<string, unknown>;
}

export function changed(pod: V1Pod, change: (pod: V1Pod) => void): V1Pod {
  const copy = structuredClone(pod);
  change(copy);
  return copy;
}

export const DIND = "kubectl-fabric-dind";
const SOCKET = "kubectl-fabric-socket";
const GRAPH = "kubectl-fabric-graph";

/** One change each that would let somebody else's words run with our privilege, or reach the daemon. */
export const FORGERIES: readonly (readonly [string, (pod: V1Pod) => void, string])[] = [
  ["another image", (pod) => (named(pod, DIND).image = "evil.example.com/dind:1"), `image of ${DIND}`],
  ["a shell", (pod) => (named(pod, DIND).command = ["sh", "-c", "evil"]), `command of ${DIND}`],
  ["no command", (pod) => delete named(pod, DIND).command, `command of ${DIND}`],
  ["a TCP socket", (pod) => named(pod, DIND).args?.push("--host=tcp://0.0.0.0:2375"), `args of ${DIND}`],
  ["another mirror", (pod) => named(pod, DIND).args?.push("--registry-mirror=http://evil"), `args of ${DIND}`],
  ["a path", (pod) => named(pod, DIND).env?.push({ name: "PATH", value: "/var/lib/docker" }), `env of ${DIND}`],
  [
    "another endpoint",
    (pod) => (named(pod, DIND).env = [{ name: "DOCKER_HOST", value: "tcp://evil" }]),
    `env of ${DIND}`,
  ],
  ["envFrom", (pod) => (named(pod, DIND).envFrom = [{ configMapRef: { name: "evil" } }]), `envFrom of ${DIND}`],
  ["a probe", (pod) => (named(pod, DIND).livenessProbe = { exec: { command: ["evil"] } }), `livenessProbe of ${DIND}`],
  [
    "another start",
    (pod) => (named(pod, DIND).startupProbe = { exec: { command: ["evil"] } }),
    `startupProbe of ${DIND}`,
  ],
  ["no start", (pod) => delete named(pod, DIND).startupProbe, `startupProbe of ${DIND}`],
  [
    "a hook",
    (pod) => (named(pod, DIND).lifecycle = { postStart: { exec: { command: ["evil"] } } }),
    `lifecycle of ${DIND}`,
  ],
  [
    "readiness",
    (pod) => (named(pod, DIND).readinessProbe = { exec: { command: ["evil"] } }),
    `readinessProbe of ${DIND}`,
  ],
  ["a directory", (pod) => (named(pod, DIND).workingDir = "/kubectl-fabric"), `workingDir of ${DIND}`],
  ["a terminal", (pod) => (named(pod, DIND).stdin = true), `stdin of ${DIND}`],
  [
    "capabilities",
    (pod) => ((named(pod, DIND).securityContext ??= {}).capabilities = { add: ["ALL"] }),
    `securityContext of ${DIND}`,
  ],
  [
    "a mount of the node",
    (pod) => {
      named(pod, DIND).volumeMounts?.push({ name: "node", mountPath: "/host" });
      (pod.spec!.volumes ??= []).push({ name: "node", hostPath: { path: "/" } });
    },
    `volumeMounts of ${DIND}`,
  ],
  [
    "a writable mount among the tokens",
    (pod) => named(pod, DIND).volumeMounts?.push({ name: "x", mountPath: "/run/secrets/x" }),
    `volumeMounts of ${DIND}`,
  ],
  [
    "a mount through the tokens",
    (pod) => named(pod, DIND).volumeMounts?.push({ name: "x", mountPath: "/run/secrets/../../usr", readOnly: true }),
    `volumeMounts of ${DIND}`,
  ],
  [
    "a device",
    (pod) => (named(pod, DIND).volumeDevices = [{ name: "x", devicePath: "/dev/x" }]),
    `volumeDevices of ${DIND}`,
  ],
  ["no limit", (pod) => delete named(pod, DIND).resources, `resources of ${DIND}`],
  [
    "a limit beyond",
    (pod) => (named(pod, DIND).resources = { limits: { cpu: "2", memory: "1Ti" } }),
    `resources of ${DIND}`,
  ],
  ["a second one", (pod) => pod.spec?.initContainers?.push(structuredClone(named(pod, DIND))), DIND],
  ["the sidecar as a container", (pod) => pod.spec?.containers.push(pod.spec.initContainers!.shift()!), DIND],
  [
    "a field of a later Kubernetes",
    (pod) => (named(pod, DIND)["restartPolicyRules"] = [{ action: "Restart" }]),
    `restartPolicyRules of ${DIND}`,
  ],
  [
    "the node as the socket's volume",
    (pod) =>
      (pod.spec!.volumes = pod.spec!.volumes!.map((volume) =>
        volume.name === SOCKET ? { name: SOCKET, hostPath: { path: "/run" } } : volume,
      )),
    SOCKET,
  ],
  [
    "another claim",
    (pod) =>
      (pod.spec!.volumes = pod.spec!.volumes!.map((volume) =>
        volume.name === GRAPH ? { name: GRAPH, persistentVolumeClaim: { claimName: "evil" } } : volume,
      )),
    GRAPH,
  ],
  [
    "a graph beyond",
    (pod) =>
      (pod.spec!.volumes = pod.spec!.volumes!.map((volume) =>
        volume.name === GRAPH ? { name: GRAPH, emptyDir: { sizeLimit: "1Ti" } } : volume,
      )),
    GRAPH,
  ],
  ["no graph", (pod) => (pod.spec!.volumes = pod.spec!.volumes!.filter(({ name }) => name !== GRAPH)), GRAPH],
  [
    "another container with the socket",
    (pod) => (named(pod, "couchdb").volumeMounts = [{ name: SOCKET, mountPath: "/x" }]),
    "volumeMounts of couchdb",
  ],
  [
    "another container with the graph",
    (pod) => (named(pod, "couchdb").volumeDevices = [{ name: GRAPH, devicePath: "/x" }]),
    "volumeMounts of couchdb",
  ],
  [
    "a writable socket",
    (pod) => (named(pod, "peer").volumeMounts = [{ name: SOCKET, mountPath: "/kubectl-fabric" }]),
    "volumeMounts of peer",
  ],
  [
    "the peer with the graph",
    (pod) => named(pod, "peer").volumeMounts?.push({ name: GRAPH, mountPath: "/x" }),
    "volumeMounts of peer",
  ],
  [
    "another thing in the socket's place",
    (pod) => (named(pod, "peer").volumeMounts = [{ name: "x", mountPath: "/kubectl-fabric/", readOnly: true }]),
    "volumeMounts of peer",
  ],
  [
    "another preload",
    (pod) => (named(pod, "kubectl-fabric-preload").command = ["evil"]),
    "command of kubectl-fabric-preload",
  ],
  [
    "no preload",
    (pod) =>
      (pod.spec!.initContainers = pod.spec!.initContainers!.filter(({ name }) => name !== "kubectl-fabric-preload")),
    "kubectl-fabric-preload",
  ],
  [
    "another idler",
    (pod) => ((named(pod, "kubectl-fabric-idle").securityContext ??= {}).runAsUser = 0),
    "securityContext of kubectl-fabric-idle",
  ],
];
