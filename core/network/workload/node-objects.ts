import type {
  V1Container,
  V1EnvVar,
  V1PersistentVolumeClaim,
  V1PodSpec,
  V1Service,
  V1StatefulSet,
  V1Volume,
  V1VolumeMount,
  V1WeightedPodAffinityTerm,
} from "../../kubernetes/client-node.ts";
import { identityFolder, identitySecretName, identityVolume } from "../identity/identity-secret.ts";
import { nodeLabels, nodeSelector, nodesSelector } from "../resources/labels.ts";
import type { FabricNode } from "../resources/nodes.ts";
import type { FabricNetwork, Organization } from "../resources/spec.ts";

/** The user that orderers and peers run as; any but root will do. */
export const fabricUser = 10001;

/** The parts in which an orderer's and a peer's objects differ. */
export interface NodeDesign {
  readonly image: string;
  readonly command?: string[];
  readonly env: Readonly<Record<string, string>>;
  /** Ports for clients and other nodes. */
  readonly ports: Readonly<Record<string, number>>;
  /** The port that the node opens last at its start. It opens the operations port first. */
  readonly lastPort: number;
  /** For the kubelet and for metrics. Without TLS, and every client that reaches it may change the log level (`PUT /logspec`). */
  readonly operationsPort: number;
  /** The mount path of the ledger's claim. */
  readonly dataPath: string;
  readonly podAnnotations?: Record<string, string>;
  readonly podSecurityContext?: V1PodSpec["securityContext"];
  readonly initContainers?: V1Container[];
  readonly memory: { readonly request: string; readonly limit: string };
}

export function serviceOf(network: FabricNetwork, node: FabricNode, design: NodeDesign): V1Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: node.name, namespace: node.organization.namespace, labels: nodeLabels(network, node) },
    spec: {
      selector: nodeSelector(node),
      ports: Object.entries(design.ports).map(([name, port]) => ({ name, port, targetPort: name, protocol: "TCP" })),
    },
  };
}

export function claimOf(network: FabricNetwork, node: FabricNode, name: string, size: string): V1PersistentVolumeClaim {
  const { className } = network.spec.storage;
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, namespace: node.organization.namespace, labels: nodeLabels(network, node) },
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: size } },
      ...(className === undefined ? {} : { storageClassName: className }),
    },
  };
}

export const ledgerClaimName = (node: FabricNode): string => `${node.name}-ledger`;

/** A StatefulSet of one Pod, so that two Pods never use one ledger, not even during a rollout. */
export function statefulSetOf(network: FabricNetwork, node: FabricNode, design: NodeDesign): V1StatefulSet {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: node.name, namespace: node.organization.namespace, labels: nodeLabels(network, node) },
    spec: {
      replicas: 1,
      serviceName: node.name,
      selector: { matchLabels: nodeSelector(node) },
      template: {
        metadata: {
          labels: nodeLabels(network, node),
          ...(design.podAnnotations ? { annotations: design.podAnnotations } : {}),
        },
        spec: podSpecOf(node, design),
      },
    },
  };
}

function podSpecOf(node: FabricNode, design: NodeDesign): V1PodSpec {
  const mounts: V1VolumeMount[] = [
    { name: "identity", mountPath: identityFolder, readOnly: true },
    { name: "ledger", mountPath: design.dataPath },
    { name: "tmp", mountPath: "/tmp" },
  ];
  const volumes: V1Volume[] = [
    identityVolume(identitySecretName(node.name)),
    { name: "ledger", persistentVolumeClaim: { claimName: ledgerClaimName(node) } },
    { name: "tmp", emptyDir: {} },
  ];
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [apartFrom(node.organization)] } },
    ...(design.podSecurityContext ? { securityContext: design.podSecurityContext } : {}),
    ...(design.initContainers ? { initContainers: design.initContainers } : {}),
    containers: [
      {
        name: node.component,
        image: design.image,
        ...(design.command ? { command: design.command } : {}),
        env: environment(design.env),
        ports: Object.entries({ ...design.ports, operations: design.operationsPort }).map(([name, containerPort]) => ({
          name,
          containerPort,
          protocol: "TCP",
        })),
        // Until the last port is open, the node gets no calls, and the other probes do not run. The limit is days: an orderer may need hours
        // to open its channels, and would begin again if it were killed.
        startupProbe: { tcpSocket: { port: design.lastPort }, periodSeconds: 1, failureThreshold: 1_000_000 },
        // /healthz also checks what Fabric depends on (a peer: its Docker daemon). A failure there is no reason to kill the node.
        readinessProbe: { httpGet: { path: "/healthz", port: "operations" }, periodSeconds: 2, timeoutSeconds: 5 },
        livenessProbe: {
          tcpSocket: { port: design.operationsPort },
          initialDelaySeconds: 30,
          periodSeconds: 20,
          timeoutSeconds: 10,
          failureThreshold: 6,
        },
        // No CPU limit: it would slow a node down, and an orderer could lose its leader.
        resources: {
          requests: { cpu: "50m", memory: design.memory.request },
          limits: { memory: design.memory.limit },
        },
        securityContext: restrictedContainer,
        volumeMounts: mounts,
      },
    ],
    volumes,
  };
}

/** Prefers a node of the cluster without another node of the organization. */
function apartFrom(organization: Organization): V1WeightedPodAffinityTerm {
  const labelSelector = { matchLabels: nodesSelector(organization) };
  return { weight: 100, podAffinityTerm: { labelSelector, topologyKey: "kubernetes.io/hostname" } };
}

/** All that the Pod Security level "restricted" requires of a container. */
export const restrictedContainer: NonNullable<V1Container["securityContext"]> = {
  runAsNonRoot: true,
  runAsUser: fabricUser,
  runAsGroup: fabricUser,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};

/** The same for a Pod, whose volumes belong to the group of its user. */
export const restrictedPod: NonNullable<V1PodSpec["securityContext"]> = {
  runAsNonRoot: true,
  runAsUser: fabricUser,
  runAsGroup: fabricUser,
  fsGroup: fabricUser,
  fsGroupChangePolicy: "OnRootMismatch",
  seccompProfile: { type: "RuntimeDefault" },
};

function environment(values: Readonly<Record<string, string>>): V1EnvVar[] {
  return Object.entries(values).map(([name, value]) => ({ name, value }));
}
