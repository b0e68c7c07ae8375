import { nodeLabel } from "../../network/resources/labels.ts";
import type { KubernetesObject, V1Deployment, V1NetworkPolicy, V1Service } from "../../kubernetes/client-node.ts";
import { fabricUser, restrictedContainer } from "../../network/workload/node-objects.ts";
import type { FabricNetwork, PeerOrganization } from "../../network/resources/spec.ts";
import {
  certificateAnnotation,
  packageAnnotation,
  serviceLabels,
  serviceName,
  type ServiceIdentity,
} from "./service-name.ts";

/** The port of Fabric's samples (docs: cc_service.md). */
export const servicePort = 9999;

const keysFolder = "/etc/hyperledger/chaincode";

/** One organization's chaincode as a service. */
export interface ServiceDesign {
  readonly identity: ServiceIdentity;
  readonly organization: PeerOrganization;
  /** The ID by which the chaincode registers at peers. */
  readonly packageId: string;
  /** What starts it; the image knows unless told. */
  readonly start?: readonly string[] | undefined;
}

/** One server: of the whole organization, or of one of its peers. */
export interface Server {
  /** Of its Service and its Deployment. */
  readonly name: string;
  /** The only peer that may call it; all of the organization unless told. */
  readonly peer?: string;
}

export function serversOf({ identity, organization }: ServiceDesign): readonly Server[] {
  const name = serviceName(identity);
  if (identity.per === "organization") return [{ name }];
  return Array.from({ length: organization.peers }, (_, index) => ({
    name: `${name}-peer${index}`,
    peer: `peer${index}`,
  }));
}

export const keysSecretName = (identity: ServiceIdentity): string => `${serviceName(identity)}-tls`;
export const clientSecretName = (identity: ServiceIdentity): string => `${serviceName(identity)}-client`;

/**
 * Service, Deployment and NetworkPolicy of each server. `certificate` is a digest of the TLS certificate: Pods read it once, and another
 * digest replaces them.
 */
export function serviceObjects(
  network: FabricNetwork,
  design: ServiceDesign,
  certificate: string,
): readonly KubernetesObject[] {
  return serversOf(design).flatMap((server) => [
    service(network, design, server),
    networkPolicy(network, design, server),
    deployment(network, design, server, certificate),
  ]);
}

const serverLabel = "app.kubernetes.io/instance";

function metadata(network: FabricNetwork, { identity, organization }: ServiceDesign, { name }: Server) {
  const labels = { ...serviceLabels(network, organization, identity), [serverLabel]: name };
  return { name, namespace: organization.namespace, labels };
}

const selector = ({ name }: Server): Record<string, string> => ({
  "app.kubernetes.io/component": "chaincode",
  [serverLabel]: name,
});

function service(network: FabricNetwork, design: ServiceDesign, server: Server): V1Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(network, design, server),
    spec: {
      selector: selector(server),
      ports: [{ name: "grpc", port: servicePort, targetPort: "grpc", protocol: "TCP" }],
    },
  };
}

/** Only peers of the organization may reach a chaincode server: any client that does can act as its peer and feed it any state. */
function networkPolicy(network: FabricNetwork, design: ServiceDesign, server: Server): V1NetworkPolicy {
  const peers = {
    "app.kubernetes.io/component": "peer",
    ...(server.peer === undefined ? {} : { [nodeLabel]: server.peer }),
  };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: metadata(network, design, server),
    spec: {
      podSelector: { matchLabels: selector(server) },
      policyTypes: ["Ingress"],
      ingress: [{ _from: [{ podSelector: { matchLabels: peers } }], ports: [{ protocol: "TCP", port: servicePort }] }],
    },
  };
}

function deployment(network: FabricNetwork, design: ServiceDesign, server: Server, certificate: string): V1Deployment {
  const { identity, packageId, start } = design;
  const meta = metadata(network, design, server);
  const annotations = { [packageAnnotation]: packageId, [certificateAnnotation]: certificate };
  const open = { tcpSocket: { port: "grpc" } };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { ...meta, annotations: { [packageAnnotation]: packageId } },
    spec: {
      replicas: 1,
      selector: { matchLabels: selector(server) },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: meta.labels, annotations },
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: { fsGroup: fabricUser },
          containers: [
            {
              name: "chaincode",
              image: identity.image,
              ...(start ? { command: [...start] } : {}),
              env: environment(design),
              ports: [{ name: "grpc", containerPort: servicePort, protocol: "TCP" }],
              startupProbe: { ...open, periodSeconds: 1, failureThreshold: 120 },
              readinessProbe: { ...open, periodSeconds: 5 },
              livenessProbe: { ...open, periodSeconds: 20, failureThreshold: 3 },
              resources: { requests: { cpu: "50m", memory: "64Mi" }, limits: { memory: "512Mi" } },
              securityContext: restrictedContainer,
              volumeMounts: [
                { name: "keys", mountPath: keysFolder, readOnly: true },
                { name: "tmp", mountPath: "/tmp" },
              ],
            },
          ],
          volumes: [
            { name: "keys", secret: { secretName: keysSecretName(identity), defaultMode: 0o440 } },
            { name: "tmp", emptyDir: {} },
          ],
        },
      },
    },
  };
}

const files = { key: `${keysFolder}/tls.key`, certificate: `${keysFolder}/tls.crt`, root: `${keysFolder}/ca.crt` };

/**
 * What chaincode servers read. There is no standard: CHAINCODE_* are what Fabric's samples read (docs: cc_service.md),
 * CORE_* what the shims read themselves, as they do in a peer's container.
 */
function environment({ identity, organization, packageId }: ServiceDesign): { name: string; value: string }[] {
  const values: Readonly<Record<string, string>> = {
    CHAINCODE_ID: packageId,
    CORE_CHAINCODE_ID_NAME: packageId,
    CHAINCODE_SERVER_ADDRESS: `0.0.0.0:${servicePort}`,
    CHAINCODE_TLS_DISABLED: "false",
    CHAINCODE_TLS_KEY: files.key,
    CHAINCODE_TLS_CERT: files.certificate,
    ...(identity.clientAuth ? { CHAINCODE_CLIENT_CA_CERT: files.root } : {}),
    CORE_PEER_TLS_ENABLED: "true",
    CORE_PEER_TLS_ROOTCERT_FILE: files.root,
    CORE_TLS_CLIENT_KEY_FILE: files.key,
    CORE_TLS_CLIENT_CERT_FILE: files.certificate,
    CORE_PEER_LOCALMSPID: organization.mspId, // GetMSPID of the shims
    HOME: "/tmp", // npm keeps its logs there
  };
  return Object.entries(values).map(([name, value]) => ({ name, value }));
}

/** How Node chaincode is started as a server, whatever the image's own command (fabric-shim, lib/cmds/serverCommand.js). */
export function nodeStart(clientAuth: boolean): readonly string[] {
  return [
    "node",
    "node_modules/fabric-shim/cli.js",
    "server",
    "--chaincode-address=$(CHAINCODE_SERVER_ADDRESS)",
    "--chaincode-id=$(CHAINCODE_ID)",
    "--chaincode-tls-key-file=$(CHAINCODE_TLS_KEY)",
    "--chaincode-tls-cert-file=$(CHAINCODE_TLS_CERT)",
    ...(clientAuth ? ["--chaincode-tls-client-cacert-file=$(CHAINCODE_CLIENT_CA_CERT)"] : []),
  ];
}
