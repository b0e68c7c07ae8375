// A Pod that says it was injected: whoever writes the Pod writes that, too.
import type { V1Container, V1Pod } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { ANNOTATIONS } from "../../../webhook/inject/annotations.ts";
import type { ClusterFacts } from "../../../webhook/inject/cluster.ts";
import { injectPod, type InjectionContext } from "../../../webhook/inject/inject.ts";
import { parseSettings } from "../../../webhook/inject/settings.ts";

const TODAY: ClusterFacts = {
  apiServer: { major: 1, minor: 36, patch: 0 },
  oldestKubelet: { major: 1, minor: 36, patch: 0 },
  mtu: 1450,
};
const OLD: ClusterFacts = { apiServer: { major: 1, minor: 28, patch: 0 }, mtu: 1450 };

function contextOf(cluster: ClusterFacts, settings: unknown = {}): InjectionContext {
  const parsed = parseSettings(settings);
  if (!parsed.valid) throw new Error(JSON.stringify(parsed.problems));
  return { settings: parsed.settings, cluster, version: "1.0.0" };
}

const context = contextOf(TODAY);
const old = contextOf(OLD);

function peerPod(annotations: Record<string, string> = {}): V1Pod {
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
const WHOLE = { [ANNOTATIONS.preload]: "hyperledger/fabric-nodeenv:2.5", [ANNOTATIONS.chaincodeIdle]: "10m" };

function injected(pod: V1Pod, by: InjectionContext = context): V1Pod {
  const outcome = injectPod(pod, by);
  if (outcome.kind !== "injected" || outcome.pod === undefined) throw new Error(JSON.stringify(outcome));
  return outcome.pod;
}

function named(pod: V1Pod, name: string): V1Container & Record<string, unknown> {
  const all = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const found = all.find((container) => container.name === name);
  if (found === undefined) throw new Error(`no container ${name}`);
  return found as V1Container & Record<string, unknown>;
}

function changed(pod: V1Pod, change: (pod: V1Pod) => void): V1Pod {
  const copy = structuredClone(pod);
  change(copy);
  return copy;
}

const DIND = "kubectl-fabric-dind";
const SOCKET = "kubectl-fabric-socket";
const GRAPH = "kubectl-fabric-graph";

/** One change each that would let somebody else's words run with our privilege, or reach the daemon. */
const FORGERIES: readonly (readonly [string, (pod: V1Pod) => void, string])[] = [
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

describe("what is not as it would be is refused", () => {
  test.each(FORGERIES)("%s", (_, forge, named) => {
    const outcome = injectPod(changed(injected(peerPod(WHOLE)), forge), context);
    expect(outcome).toMatchObject({ kind: "denied", reason: "altered-injection", status: 403 });
    expect(outcome).toHaveProperty("message", expect.stringContaining(named));
  });

  test.each([
    [
      "the hook that holds back the peer",
      (pod: V1Pod) => (named(pod, DIND).lifecycle = { postStart: { exec: { command: ["evil"] } } }),
      "lifecycle",
    ],
    ["a native sidecar", (pod: V1Pod) => (named(pod, DIND).restartPolicy = "Always"), "restartPolicy"],
  ])("on a cluster without native sidecars: %s", (_, forge, field) => {
    const outcome = injectPod(changed(injected(peerPod(), old), forge), old);
    expect(outcome).toHaveProperty("message", expect.stringContaining(`${field} of ${DIND}`));
  });

  test("a sidecar that nobody planned", () => {
    const whole = injected(peerPod(WHOLE));
    const forged = changed(whole, (pod) => delete pod.metadata!.annotations![ANNOTATIONS.chaincodeIdle]);
    expect(injectPod(forged, context)).toHaveProperty("message", expect.stringContaining("kubectl-fabric-idle"));
  });

  test.each([
    ["the injection's own name beside a daemon of the Pod's", {}, "own-daemon"],
    ["names without the mark", { [ANNOTATIONS.injected]: undefined }, "reserved"],
  ])("%s", (_, marks, kind) => {
    const forged = changed(injected(peerPod()), (pod) => {
      pod.metadata!.annotations = JSON.parse(
        JSON.stringify(Object.assign({}, pod.metadata!.annotations, marks)),
      ) as Record<string, string>;
      if (kind === "own-daemon")
        pod.spec!.containers.push({
          name: "mine",
          image: "docker:28-dind",
          args: ["dockerd", "--host=tcp://127.0.0.1:2375"],
        });
    });
    expect(injectPod(forged, context)).toMatchObject({ kind: "denied", reason: "reserved-name" });
  });

  test("an ordinary container that mounts our volumes before there are any", () => {
    const mounts = [
      "kubectl-fabric-socket",
      "kubectl-fabric-graph",
      "kubectl-fabric-archives-0",
      "kubectl-fabric-pull-secrets",
    ];
    const outcomes = mounts.flatMap((name) => {
      const mounted = changed(peerPod(), (pod) => (named(pod, "couchdb").volumeMounts = [{ name, mountPath: "/x" }]));
      const first = changed(
        peerPod(),
        (pod) => (pod.spec!.initContainers = [{ name: "a", volumeMounts: [{ name, mountPath: "/x" }] }]),
      );
      const device = changed(peerPod(), (pod) => (named(pod, "couchdb").volumeDevices = [{ name, devicePath: "/x" }]));
      return [mounted, first, device].map((pod) => injectPod(pod, context));
    });
    expect(outcomes).toEqual(outcomes.map(() => expect.objectContaining({ kind: "denied", reason: "reserved-name" })));
  });
});

describe("what others add in good faith is no forgery", () => {
  /** Defaults of Kubernetes 1.36, a service account's token, a cloud's identity, a proxy, an autoscaler. */
  function completed(pod: V1Pod): V1Pod {
    return changed(pod, (copy) => {
      for (const container of [...(copy.spec?.initContainers ?? []), ...(copy.spec?.containers ?? [])]) {
        Object.assign(container, {
          terminationMessagePath: "/dev/termination-log",
          terminationMessagePolicy: "File",
          imagePullPolicy: "IfNotPresent",
        });
        for (const probe of [container.startupProbe, container.livenessProbe])
          if (probe) Object.assign(probe, { successThreshold: 1, timeoutSeconds: 9 });
        if (container.securityContext) container.securityContext.procMount = "Default";
        (container.volumeMounts ??= []).push({
          name: "kube-api-access",
          mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
          readOnly: true,
        });
        (container.env ??= []).push(
          { name: "AWS_REGION", value: "eu" },
          { name: "https_proxy", value: "http://proxy" },
        );
        if (container.resources) container.resources.requests = { cpu: "50m", memory: "128Mi" };
      }
    });
  }

  test.each([
    ["everything", WHOLE, context],
    ["a claim", { [ANNOTATIONS.storage]: "pvc:images" }, context],
    ["the runner", { [ANNOTATIONS.profile]: "restricted" }, context],
    ["an old cluster", {}, old],
  ] as const)("%s", (_, annotations, given) => {
    const before = completed(injected(peerPod(annotations), given));
    const outcome = injectPod(before, given);
    expect(outcome).not.toHaveProperty("reason", "altered-injection");
    expect(injectPod(outcome.pod!, given).kind).toBe("untouched");
    expect(outcome.pod?.spec).toEqual(before.spec);
  });

  test("a manifest that was injected without knowing the cluster", () => {
    const archives = { [ANNOTATIONS.preloadArchives]: "example.com/archive:1" };
    const pod = injected(peerPod(archives), contextOf({}));
    expect(injectPod(pod, context)).toMatchObject({ kind: "untouched" });
  });

  test("the service account's pull secrets, which a manifest does not know", () => {
    const manifest = peerPod(WHOLE);
    delete manifest.spec!.imagePullSecrets;
    const pod = changed(injected(manifest), (copy) => (copy.spec!.imagePullSecrets = [{ name: "late" }]));
    expect(injectPod(pod, context)).toMatchObject({ kind: "untouched" });
  });

  test("an image that the operator allows, in place of the default; the mark says what is there", () => {
    const pod = injected(peerPod());
    const moved = changed(pod, (copy) => (named(copy, DIND).image = "mirror.local/docker:28-dind"));
    expect(injectPod(moved, context)).toMatchObject({ reason: "altered-injection" });
    const allowing = contextOf(TODAY, {
      images: {
        privileged: {
          default: "docker.io/library/docker:28-dind",
          allowed: ["docker.io/library/docker:*", "mirror.local/docker:*"],
        },
      },
    });
    const outcome = injectPod(moved, allowing);
    expect(outcome.pod?.metadata?.annotations?.[ANNOTATIONS.injected]).not.toBe(
      pod.metadata?.annotations?.[ANNOTATIONS.injected],
    );
    expect(injectPod(outcome.pod!, allowing)).toMatchObject({ kind: "untouched" });
  });
});

test("a mark that somebody else wrote is written anew", () => {
  const pod = injected(peerPod());
  const mark = pod.metadata!.annotations![ANNOTATIONS.injected];
  const forged = changed(pod, (copy) => (copy.metadata!.annotations![ANNOTATIONS.injected] = "1.0.0/000000000000"));
  const outcome = injectPod(forged, context);
  expect(outcome.kind).toBe("injected");
  expect(outcome.pod).toEqual(pod);
  expect(mark).toMatch(/^1\.0\.0\/[0-9a-f]{12}$/);
});
