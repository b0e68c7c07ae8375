// Injected Pods, and what somebody could change in them: for the webhook (found-injection.test.ts), and for the API server's policy.
import type { V1Container, V1Pod, V1VolumeMount } from "@kubernetes/client-node";
import { annotationKeys } from "../../../../core/injection/annotations.ts";
import type { ClusterFacts } from "../../../../core/injection/cluster.ts";
import { injectPod, type InjectionContext } from "../../../../core/injection/inject.ts";
import { parseSettings } from "../../../../core/injection/settings.ts";

export const todaysCluster: ClusterFacts = {
  apiServer: { major: 1, minor: 36, patch: 0 },
  oldestKubelet: { major: 1, minor: 36, patch: 0 },
  mtu: 1450,
};
const oldCluster: ClusterFacts = { apiServer: { major: 1, minor: 28, patch: 0 }, mtu: 1450 };

export function contextOf(cluster: ClusterFacts, settings: unknown = {}): InjectionContext {
  const parsed = parseSettings(settings);
  if (!parsed.valid) throw new Error(JSON.stringify(parsed.problems));
  return { settings: parsed.settings, cluster, version: "1.0.0" };
}

export const context = contextOf(todaysCluster);
export const old = contextOf(oldCluster);

export function peerPod(annotations: Record<string, string> = {}): V1Pod {
  return {
    metadata: { annotations: { [annotationKeys.inject]: "true", ...annotations } },
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
export const wholeAnnotations = {
  [annotationKeys.preload]: "hyperledger/fabric-nodeenv:2.5",
  [annotationKeys.chaincodeIdle]: "10m",
};

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

export const dind = "kubectl-fabric-dind";
const socketVolumeName = "kubectl-fabric-socket";
const graphVolumeName = "kubectl-fabric-graph";

/** One change each that would let somebody else's words run with our privilege, or reach the daemon. */
export const forgeries: readonly (readonly [string, (pod: V1Pod) => void, string])[] = [
  ["another image", (pod) => (named(pod, dind).image = "evil.example.com/dind:1"), `image of ${dind}`],
  ["a shell", (pod) => (named(pod, dind).command = ["sh", "-c", "evil"]), `command of ${dind}`],
  ["no command", (pod) => delete named(pod, dind).command, `command of ${dind}`],
  ["a TCP socket", (pod) => named(pod, dind).args?.push("--host=tcp://0.0.0.0:2375"), `args of ${dind}`],
  ["another mirror", (pod) => named(pod, dind).args?.push("--registry-mirror=http://evil"), `args of ${dind}`],
  ["a path", (pod) => named(pod, dind).env?.push({ name: "PATH", value: "/var/lib/docker" }), `env of ${dind}`],
  [
    "another endpoint",
    (pod) => (named(pod, dind).env = [{ name: "DOCKER_HOST", value: "tcp://evil" }]),
    `env of ${dind}`,
  ],
  ["envFrom", (pod) => (named(pod, dind).envFrom = [{ configMapRef: { name: "evil" } }]), `envFrom of ${dind}`],
  ["a probe", (pod) => (named(pod, dind).livenessProbe = { exec: { command: ["evil"] } }), `livenessProbe of ${dind}`],
  [
    "another start",
    (pod) => (named(pod, dind).startupProbe = { exec: { command: ["evil"] } }),
    `startupProbe of ${dind}`,
  ],
  ["no start", (pod) => delete named(pod, dind).startupProbe, `startupProbe of ${dind}`],
  [
    "a hook",
    (pod) => (named(pod, dind).lifecycle = { postStart: { exec: { command: ["evil"] } } }),
    `lifecycle of ${dind}`,
  ],
  [
    "readiness",
    (pod) => (named(pod, dind).readinessProbe = { exec: { command: ["evil"] } }),
    `readinessProbe of ${dind}`,
  ],
  ["a directory", (pod) => (named(pod, dind).workingDir = "/kubectl-fabric"), `workingDir of ${dind}`],
  ["an input", (pod) => (named(pod, dind).stdin = true), `stdin of ${dind}`],
  ["an input of one", (pod) => (named(pod, dind).stdinOnce = true), `stdinOnce of ${dind}`],
  ["a terminal", (pod) => (named(pod, dind).tty = true), `tty of ${dind}`],
  // Docker's command line runs the hooks of plugins beside its configuration where it writes to a terminal.
  [
    "a terminal for the preload",
    (pod) => (named(pod, "kubectl-fabric-preload").tty = true),
    "tty of kubectl-fabric-preload",
  ],
  [
    "a port of the node",
    (pod) => (named(pod, dind).ports = [{ containerPort: 10_250, hostPort: 10_250 }]),
    `ports of ${dind}`,
  ],
  ["a port", (pod) => (named(pod, dind).ports = [{ containerPort: 2375 }]), `ports of ${dind}`],
  [
    "a file in a program's place",
    (pod) => (named(pod, dind).terminationMessagePath = "/usr/local/bin/dind"),
    `terminationMessagePath of ${dind}`,
  ],
  [
    "capabilities",
    (pod) => ((named(pod, dind).securityContext ??= {}).capabilities = { add: ["ALL"] }),
    `securityContext of ${dind}`,
  ],
  [
    "a label of SELinux",
    (pod) => ((named(pod, dind).securityContext ??= {}).seLinuxOptions = { user: "system_u", type: "kernel_t" }),
    `securityContext of ${dind}`,
  ],
  [
    "options of Windows",
    (pod) => ((named(pod, dind).securityContext ??= {}).windowsOptions = { runAsUserName: "x" }),
    `securityContext of ${dind}`,
  ],
  [
    "mounts that the node gets",
    (pod) => (mountOf(pod, dind, graphVolumeName).mountPropagation = "Bidirectional"),
    `volumeMounts of ${dind}`,
  ],
  [
    "mounts that come from the node",
    (pod) => (mountOf(pod, dind, socketVolumeName).mountPropagation = "HostToContainer"),
    `volumeMounts of ${dind}`,
  ],
  ["a part of the graph", (pod) => (mountOf(pod, dind, graphVolumeName).subPath = "x"), `volumeMounts of ${dind}`],
  ["a part by a variable", (pod) => (mountOf(pod, dind, graphVolumeName).subPathExpr = "x"), `volumeMounts of ${dind}`],
  [
    "mounts from the node to the peer",
    (pod) => (mountOf(pod, "peer", socketVolumeName).mountPropagation = "HostToContainer"),
    "volumeMounts of peer",
  ],
  [
    "a mount of the node",
    (pod) => {
      named(pod, dind).volumeMounts?.push({ name: "node", mountPath: "/host" });
      (pod.spec!.volumes ??= []).push({ name: "node", hostPath: { path: "/" } });
    },
    `volumeMounts of ${dind}`,
  ],
  [
    "a writable mount among the tokens",
    (pod) => named(pod, dind).volumeMounts?.push({ name: "x", mountPath: "/run/secrets/x" }),
    `volumeMounts of ${dind}`,
  ],
  [
    "mounts among the tokens that the node gets",
    (pod) =>
      named(pod, dind).volumeMounts?.push({
        name: "x",
        mountPath: "/run/secrets/x",
        readOnly: true,
        mountPropagation: "Bidirectional",
      }),
    `volumeMounts of ${dind}`,
  ],
  [
    "a mount through the tokens",
    (pod) => named(pod, dind).volumeMounts?.push({ name: "x", mountPath: "/run/secrets/../../usr", readOnly: true }),
    `volumeMounts of ${dind}`,
  ],
  [
    "a device",
    (pod) => (named(pod, dind).volumeDevices = [{ name: "x", devicePath: "/dev/x" }]),
    `volumeDevices of ${dind}`,
  ],
  ["no limit", (pod) => delete named(pod, dind).resources, `resources of ${dind}`],
  [
    "a limit beyond",
    (pod) => (named(pod, dind).resources = { limits: { cpu: "2", memory: "1Ti" } }),
    `resources of ${dind}`,
  ],
  [
    "a device by a claim",
    (pod) => {
      pod.spec!.resourceClaims = [{ name: "x", resourceClaimName: "x" }];
      (named(pod, dind).resources ??= {}).claims = [{ name: "x" }];
    },
    `resources of ${dind}`,
  ],
  ["a second one", (pod) => pod.spec?.initContainers?.push(structuredClone(named(pod, dind))), dind],
  ["the sidecar as a container", (pod) => pod.spec?.containers.push(pod.spec.initContainers!.shift()!), dind],
  [
    "a field of a later Kubernetes",
    (pod) => (named(pod, dind)["restartPolicyRules"] = [{ action: "Restart" }]),
    `restartPolicyRules of ${dind}`,
  ],
  [
    "a claim as the socket's volume",
    (pod) =>
      (pod.spec!.volumes = pod.spec!.volumes!.map((volume) =>
        volume.name === socketVolumeName
          ? { name: socketVolumeName, persistentVolumeClaim: { claimName: "x" } }
          : volume,
      )),
    socketVolumeName,
  ],
  [
    "the node as the socket's volume",
    (pod) =>
      (pod.spec!.volumes = pod.spec!.volumes!.map((volume) =>
        volume.name === socketVolumeName ? { name: socketVolumeName, hostPath: { path: "/run" } } : volume,
      )),
    socketVolumeName,
  ],
  [
    "another claim",
    (pod) =>
      (pod.spec!.volumes = pod.spec!.volumes!.map((volume) =>
        volume.name === graphVolumeName
          ? { name: graphVolumeName, persistentVolumeClaim: { claimName: "evil" } }
          : volume,
      )),
    graphVolumeName,
  ],
  [
    "a graph beyond",
    (pod) =>
      (pod.spec!.volumes = pod.spec!.volumes!.map((volume) =>
        volume.name === graphVolumeName ? { name: graphVolumeName, emptyDir: { sizeLimit: "1Ti" } } : volume,
      )),
    graphVolumeName,
  ],
  [
    "no graph",
    (pod) => (pod.spec!.volumes = pod.spec!.volumes!.filter(({ name }) => name !== graphVolumeName)),
    graphVolumeName,
  ],
  [
    "another container with the socket",
    (pod) => (named(pod, "couchdb").volumeMounts = [{ name: socketVolumeName, mountPath: "/x" }]),
    "volumeMounts of couchdb",
  ],
  [
    "another container with the graph",
    (pod) => (named(pod, "couchdb").volumeDevices = [{ name: graphVolumeName, devicePath: "/x" }]),
    "volumeMounts of couchdb",
  ],
  [
    "a writable socket",
    (pod) => (named(pod, "peer").volumeMounts = [{ name: socketVolumeName, mountPath: "/kubectl-fabric" }]),
    "volumeMounts of peer",
  ],
  [
    "the peer with the graph",
    (pod) => named(pod, "peer").volumeMounts?.push({ name: graphVolumeName, mountPath: "/x" }),
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
