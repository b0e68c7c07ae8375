// Pods and cluster facts as fast-check makes them: whatever Kubernetes lets pass, and a little more.
import type { V1Container, V1Pod } from "@kubernetes/client-node";
import * as fc from "fast-check";
import { annotationKeys } from "../../../../core/injection/annotations.ts";
import type { InjectionContext } from "../../../../core/injection/inject.ts";
import { defaultSettings } from "../../../../core/injection/settings.ts";

const names = [
  "CORE_VM_ENDPOINT",
  "CORE_PEER_ID",
  "CORE_PEER_CHAINCODEADDRESS",
  "CORE_PEER_CHAINCODELISTENADDRESS",
  "DOCKER_HOST",
  "OTHER",
];
const values = [
  "",
  "unix:///host/var/run/docker.sock",
  "tcp://localhost:2375",
  "localhost:2375",
  "0.0.0.0:7053",
  "peer0:7052",
  "$(X):1",
  "\r\n\t",
];
const images = [
  "hyperledger/fabric-peer:2.5.15",
  "hyperledger/fabric-peer:1.4",
  "x_peer",
  "docker:24-dind",
  "couchdb:3",
  "not an image",
  "a@sha256:0",
];
const paths = ["/var/run/docker.sock", "/run/", "/var//run", "/var/log", "/", ""];
const volumes = ["a", "b", "c"];
const commands = [
  ["peer", "node", "start"],
  ["sh", "-c", "export CORE_VM_ENDPOINT=x; peer  node\tstart\r\n"],
  ["dockerd"],
  [],
];

/** A value, or the two ways in which Kubernetes leaves one out. */
function maybe<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null | undefined> {
  return fc.oneof({ weight: 4, arbitrary: value }, fc.constant(null), fc.constant(undefined));
}

const variable = fc.record({
  name: fc.constantFrom(...names),
  value: maybe(fc.constantFrom(...values)),
  valueFrom: maybe(fc.constant({ fieldRef: { fieldPath: "status.podIP" } })),
});

const amounts = fc.dictionary(
  fc.constantFrom("cpu", "memory", "hugepages-2Mi"),
  fc.constantFrom("0", 0, "250m", 1.5, "1", "100n", "512Mi", "1.5Gi", "1G", "2e9", null),
);
const resources = fc.record({ requests: maybe(amounts), limits: maybe(amounts) }, { requiredKeys: [] });

const container = fc.record({
  name: fc.constantFrom("peer", "couchdb", "docker", "cli", "x"),
  image: maybe(fc.constantFrom(...images)),
  command: maybe(fc.constantFrom(...commands)),
  args: maybe(fc.constantFrom(...commands, ["--host=tcp://0.0.0.0:2375"], ["-H", "unix:///run/docker.sock"])),
  env: maybe(fc.array(variable, { maxLength: 8 })),
  restartPolicy: maybe(fc.constant("Always")),
  resources: maybe(resources),
  volumeMounts: maybe(
    fc.array(
      fc.record({
        name: fc.constantFrom(...volumes),
        mountPath: fc.constantFrom("/var/run", "/host/var/run/docker.sock", "/d"),
      }),
      {
        maxLength: 4,
      },
    ),
  ),
});

const volume = fc.record({
  name: fc.constantFrom(...volumes),
  hostPath: maybe(fc.record({ path: fc.constantFrom(...paths) })),
});

const annotations = fc.dictionary(
  fc.constantFrom(...Object.values(annotationKeys), "kubectl-fabric.io/unknown", "example.com/a"),
  fc.oneof(
    fc.constantFrom(
      "true",
      "false",
      "keep",
      "deny",
      "bridge",
      "pvc:a",
      "1Gi",
      "300m",
      "docker:28-dind",
      "1400",
      "peer",
    ),
    fc.string(),
  ),
);

export const pod = fc.record({
  apiVersion: fc.constant("v1"),
  kind: fc.constant("Pod"),
  metadata: fc.record({ name: fc.string(), annotations: maybe(annotations) }),
  spec: fc.record({
    containers: fc.array(container, { maxLength: 4 }),
    initContainers: maybe(fc.array(container, { maxLength: 2 })),
    volumes: maybe(fc.array(volume, { maxLength: 4 })),
    hostNetwork: maybe(fc.boolean()),
    resources: maybe(resources),
    securityContext: maybe(fc.record({ supplementalGroups: maybe(fc.array(fc.nat(9000))), fsGroup: maybe(fc.nat()) })),
  }),
}) as unknown as fc.Arbitrary<V1Pod>;

/** Pods that ask for injection and whose first container is a peer beyond doubt. */
export const peerPod = fc.tuple(pod, container as unknown as fc.Arbitrary<V1Container>).map(([any, peer]): V1Pod => {
  const named: V1Container = Object.assign({}, peer, {
    name: "the-peer",
    image: "hyperledger/fabric-peer:2.5.15",
    command: ["peer"],
    args: [],
  });
  const others = (any.spec?.containers ?? []).filter(
    ({ image, command, args }) => !/dind|dockerd/.test(JSON.stringify([image, command, args])),
  );
  const spec = Object.assign({}, any.spec, {
    containers: [...others, named],
    initContainers: [],
    hostNetwork: false,
  });
  return Object.assign({}, any, {
    spec,
    metadata: { annotations: { [annotationKeys.inject]: "true", [annotationKeys.peerContainer]: "the-peer" } },
  });
});

export const context = fc.record({
  settings: fc.constant(defaultSettings),
  version: fc.constant("1.2.3"),
  cluster: fc.record({
    apiServer: fc.option(
      fc.record({ major: fc.constant(1), minor: fc.integer({ min: 24, max: 37 }), patch: fc.constant(0) }),
      { nil: undefined },
    ),
    oldestKubelet: fc.option(
      fc.record({ major: fc.constant(1), minor: fc.integer({ min: 24, max: 37 }), patch: fc.constant(0) }),
      { nil: undefined },
    ),
    mtu: fc.option(fc.integer({ min: 576, max: 9000 }), { nil: undefined }),
  }),
}) as fc.Arbitrary<InjectionContext>;
