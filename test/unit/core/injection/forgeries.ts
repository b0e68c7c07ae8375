// Injected Pods, and what somebody could change in them: for the webhook (found-injection.test.ts), and for the API server's policy.
import type { V1Container, V1Pod, V1VolumeMount } from "@kubernetes/client-node";
import { ANNOTATIONS } from "../../../../core/injection/annotations.ts";
import type { ClusterFacts } from "../../../../core/injection/cluster.ts";
import { injectPod, type InjectionContext } from "../../../../core/injection/inject.ts";
import { parseSettings } from "../../../../core/injection/settings.ts";

export const TODAY: ClusterFacts = {
  apiServer: { major: 1, minor: 36, patch: 0 },
  oldestKubelet: { major: 1, minor: 36, patch: 0 },
  mtu: 1450,
};
const OLD: ClusterFacts = { apiServer: { major: 1, minor: 28, patch: 0 }, mtu: 1450 };

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

function mountOf(pod: V1Pod, container: string, volume: string): V1VolumeMount {
  const found = named(pod, container).volumeMounts?.find(({ name }) => name === volume);
  if (found === undefined) throw new Error(`no mount of ${volume}`);
  return found;
}

export function changed(pod: V1Pod, change: (pod: V1Pod) => void): V1Pod {
  const copy = structuredClone(pod);
  change(copy);
  return copy;
}

/** Defaults of Kubernetes 1.36, a service account's token, a cloud's identity, a proxy, an autoscaler. */
export function completed(pod: V1Pod): V1Pod {
  return changed(pod, (copy) => {
    for (const container of [...(copy.spec?.initContainers ?? []), ...(copy.spec?.containers ?? [])]) {
      Object.assign(container, {
        terminationMessagePath: "/dev/termination-log",
        terminationMessagePolicy: "File",
        imagePullPolicy: "IfNotPresent",
        resizePolicy: [{ resourceName: "cpu", restartPolicy: "NotRequired" }],
      });
      for (const probe of [container.startupProbe, container.livenessProbe])
        if (probe) Object.assign(probe, { successThreshold: 1, timeoutSeconds: 9 });
      if (container.securityContext) container.securityContext.procMount = "Default";
      (container.volumeMounts ??= []).push({
        name: "kube-api-access",
        mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
        readOnly: true,
      });
      (container.env ??= []).push({ name: "AWS_REGION", value: "eu" }, { name: "https_proxy", value: "http://proxy" });
      if (container.resources) container.resources.requests = { cpu: "50m", memory: "128Mi" };
    }
  });
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
  ["an input", (pod) => (named(pod, DIND).stdin = true), `stdin of ${DIND}`],
  ["an input of one", (pod) => (named(pod, DIND).stdinOnce = true), `stdinOnce of ${DIND}`],
  ["a terminal", (pod) => (named(pod, DIND).tty = true), `tty of ${DIND}`],
  // Docker's command line runs the hooks of plugins beside its configuration where it writes to a terminal.
  [
    "a terminal for the preload",
    (pod) => (named(pod, "kubectl-fabric-preload").tty = true),
    "tty of kubectl-fabric-preload",
  ],
  [
    "a port of the node",
    (pod) => (named(pod, DIND).ports = [{ containerPort: 10_250, hostPort: 10_250 }]),
    `ports of ${DIND}`,
  ],
  ["a port", (pod) => (named(pod, DIND).ports = [{ containerPort: 2375 }]), `ports of ${DIND}`],
  [
    "a file in a program's place",
    (pod) => (named(pod, DIND).terminationMessagePath = "/usr/local/bin/dind"),
    `terminationMessagePath of ${DIND}`,
  ],
  [
    "capabilities",
    (pod) => ((named(pod, DIND).securityContext ??= {}).capabilities = { add: ["ALL"] }),
    `securityContext of ${DIND}`,
  ],
  [
    "a label of SELinux",
    (pod) => ((named(pod, DIND).securityContext ??= {}).seLinuxOptions = { user: "system_u", type: "kernel_t" }),
    `securityContext of ${DIND}`,
  ],
  [
    "options of Windows",
    (pod) => ((named(pod, DIND).securityContext ??= {}).windowsOptions = { runAsUserName: "x" }),
    `securityContext of ${DIND}`,
  ],
  [
    "mounts that the node gets",
    (pod) => (mountOf(pod, DIND, GRAPH).mountPropagation = "Bidirectional"),
    `volumeMounts of ${DIND}`,
  ],
  [
    "mounts that come from the node",
    (pod) => (mountOf(pod, DIND, SOCKET).mountPropagation = "HostToContainer"),
    `volumeMounts of ${DIND}`,
  ],
  ["a part of the graph", (pod) => (mountOf(pod, DIND, GRAPH).subPath = "x"), `volumeMounts of ${DIND}`],
  ["a part by a variable", (pod) => (mountOf(pod, DIND, GRAPH).subPathExpr = "x"), `volumeMounts of ${DIND}`],
  [
    "mounts from the node to the peer",
    (pod) => (mountOf(pod, "peer", SOCKET).mountPropagation = "HostToContainer"),
    "volumeMounts of peer",
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
    "mounts among the tokens that the node gets",
    (pod) =>
      named(pod, DIND).volumeMounts?.push({
        name: "x",
        mountPath: "/run/secrets/x",
        readOnly: true,
        mountPropagation: "Bidirectional",
      }),
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
  [
    "a device by a claim",
    (pod) => {
      pod.spec!.resourceClaims = [{ name: "x", resourceClaimName: "x" }];
      (named(pod, DIND).resources ??= {}).claims = [{ name: "x" }];
    },
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
    "a claim as the socket's volume",
    (pod) =>
      (pod.spec!.volumes = pod.spec!.volumes!.map((volume) =>
        volume.name === SOCKET ? { name: SOCKET, persistentVolumeClaim: { claimName: "x" } } : volume,
      )),
    SOCKET,
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
    "archives in the place of the preload's programs",
    (pod) => {
      const name = "kubectl-fabric-archives-0";
      const mount = { name, mountPath: "/kubectl-fabric-/../usr/local/bin", readOnly: true };
      named(pod, "kubectl-fabric-preload").volumeMounts?.push(mount);
      pod.spec?.volumes?.push({ name, emptyDir: {} });
    },
    "volumeMounts of kubectl-fabric-preload",
  ],
  [
    "pull secrets in another place",
    (pod) => (mountOf(pod, "kubectl-fabric-preload", "kubectl-fabric-pull-secrets").mountPath = "/kubectl-fabric-x"),
    "volumeMounts of kubectl-fabric-preload",
  ],
  [
    "an option for the preload",
    (pod) => named(pod, "kubectl-fabric-preload").command?.push("--x"),
    "command of kubectl-fabric-preload",
  ],
  [
    "another of the shell's options for the preload",
    (pod) => named(pod, "kubectl-fabric-preload").command?.push("-c"),
    "command of kubectl-fabric-preload",
  ],
  [
    "an option for the preload by a variable",
    (pod) => {
      const preload = named(pod, "kubectl-fabric-preload");
      preload.command?.push("$(AWS_X)");
      preload.env?.push({ name: "AWS_X", value: "--x" });
    },
    "command of kubectl-fabric-preload",
  ],
  [
    "an option among the archives",
    (pod) => named(pod, "kubectl-fabric-preload").env?.push({ name: "KUBECTL_FABRIC_ARCHIVES", value: "a --x" }),
    "env of kubectl-fabric-preload",
  ],
  [
    "an option in the archives' second line",
    (pod) => named(pod, "kubectl-fabric-preload").env?.push({ name: "KUBECTL_FABRIC_ARCHIVES", value: "a\n--x" }),
    "env of kubectl-fabric-preload",
  ],
  [
    "archives out of an object",
    (pod) =>
      named(pod, "kubectl-fabric-preload").env?.push({
        name: "KUBECTL_FABRIC_ARCHIVES",
        valueFrom: { configMapKeyRef: { name: "x", key: "x" } },
      }),
    "env of kubectl-fabric-preload",
  ],
  [
    "plugins beside the pull secrets",
    (pod) => {
      const { projected } = pod.spec!.volumes!.find(({ name }) => name === "kubectl-fabric-pull-secrets")!;
      const items = [{ key: "x", path: "0/cli-plugins/docker-x" }];
      projected?.sources?.push({ configMap: { name: "x", items } });
      projected!.defaultMode = 0o755;
    },
    "kubectl-fabric-pull-secrets",
  ],
  [
    "plugins out of a pull secret",
    (pod) => {
      const { projected } = pod.spec!.volumes!.find(({ name }) => name === "kubectl-fabric-pull-secrets")!;
      projected?.sources?.push({ secret: { name: "x", items: [{ key: "x", path: "0/cli-plugins/docker-x" }] } });
    },
    "kubectl-fabric-pull-secrets",
  ],
  [
    "a whole Secret as pull secret",
    (pod) => {
      const { projected } = pod.spec!.volumes!.find(({ name }) => name === "kubectl-fabric-pull-secrets")!;
      projected?.sources?.push({ secret: { name: "x" } });
    },
    "kubectl-fabric-pull-secrets",
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
