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

/** What distinguishes an orderer's Pod from a peer's. */
export interface NodeDesign {
  readonly image: string;
  readonly command?: string[];
  readonly env: Readonly<Record<string, string>>;
  /** Those that others call. */
  readonly ports: Readonly<Record<string, number>>;
  /** Of those, the one that it listens on last when it starts; operations come before all of them. */
  readonly lastPort: number;
  /** Without TLS, and whoever reaches it may change what is logged (`PUT /logspec`): for the kubelet and for who reads metrics. */
  readonly operationsPort: number;
  /** Where the ledger's claim is mounted. */
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

/** A StatefulSet of one: never two Pods on one ledger, not even while rolling. */
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
        // Until then it is sent no calls, and neither of the others asks. Days: opening its channels may take an orderer hours, and would
        // begin anew if it were killed.
        startupProbe: { tcpSocket: { port: design.lastPort }, periodSeconds: 1, failureThreshold: 1_000_000 },
        // /healthz also asks what Fabric depends on (a peer: its Docker daemon): a reason not to be called, none to be killed.
        readinessProbe: { httpGet: { path: "/healthz", port: "operations" }, periodSeconds: 2, timeoutSeconds: 5 },
        livenessProbe: {
          tcpSocket: { port: design.operationsPort },
          initialDelaySeconds: 30,
          periodSeconds: 20,
          timeoutSeconds: 10,
          failureThreshold: 6,
        },
        // No limit of processor time: a node that is held back is a slow one, and an orderer then loses its leader.
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

/** On another node of the cluster than the others of its organization, where there is one with room. */
function apartFrom(organization: Organization): V1WeightedPodAffinityTerm {
  const labelSelector = { matchLabels: nodesSelector(organization) };
  return { weight: 100, podAffinityTerm: { labelSelector, topologyKey: "kubernetes.io/hostname" } };
}

/** All that the Pod Security level "restricted" asks of a container. */
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
