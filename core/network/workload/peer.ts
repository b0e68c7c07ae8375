import type { KubernetesObject, V1Container } from "../../kubernetes/client-node.ts";
import { mspFolder, tlsFolder } from "../identity/identity-secret.ts";
import { annotationKeys } from "../../injection/annotations.ts";
import {
  claimOf,
  fabricUser,
  ledgerClaimName,
  restrictedPod,
  serviceOf,
  statefulSetOf,
  type NodeDesign,
} from "./node-objects.ts";
import { clientPorts, hostOf, ports, type FabricNode } from "../resources/nodes.ts";
import { memoryLimitOf, memoryRequests, peerSecurity, type FabricNetwork } from "../resources/spec.ts";

const dataPath = "/var/hyperledger/production";

const dockerClaimName = (node: FabricNode): string => `${node.name}-docker`;

/**
 * All objects of one peer except its identity. Variables set the options of Fabric's sampleconfig/core.yaml, except those of
 * Docker and the chaincode address, which the webhook sets.
 */
export function peerObjects(network: FabricNetwork, node: FabricNode): KubernetesObject[] {
  const design = peerDesign(network, node);
  return [
    serviceOf(network, node, design),
    claimOf(network, node, ledgerClaimName(node), network.spec.storage.ledger),
    claimOf(network, node, dockerClaimName(node), network.spec.storage.docker),
    statefulSetOf(network, node, design),
  ];
}

/** The value that a peer fills into the address of chaincode as a service (ccaas_builder/cmd/build; core.yaml passes the variable on). */
export function builderSettings({ name }: FabricNode): { readonly name: string; readonly value: string } {
  return { name: "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG", value: JSON.stringify({ peername: name }) };
}

function peerDesign(network: FabricNetwork, node: FabricNode): NodeDesign {
  const { profile, chaincodeIdle } = network.spec;
  const address = `${hostOf(node)}:${ports.peer}`;
  return {
    image: network.spec.images.peer,
    command: ["peer", "node", "start"],
    memory: { request: memoryRequests.peer, limit: memoryLimitOf(network, "peer") },
    ports: clientPorts.peer,
    operationsPort: ports.peerOperations,
    lastPort: ports.peer, // internal/peer/node/start.go: opened before the channels' ledgers, for which a call may have to wait
    dataPath,
    podAnnotations: {
      [annotationKeys.inject]: "true",
      [annotationKeys.storage]: `pvc:${dockerClaimName(node)}`,
      ...(profile === undefined ? {} : { [annotationKeys.profile]: profile }),
      ...(chaincodeIdle === undefined ? {} : { [annotationKeys.chaincodeIdle]: chaincodeIdle }),
    },
    ...ownerOfLedger(network),
    env: {
      FABRIC_LOGGING_SPEC: "info",
      CORE_PEER_ID: hostOf(node),
      CORE_PEER_NETWORKID: network.metadata.name,
      CORE_PEER_ADDRESS: address,
      CORE_PEER_LISTENADDRESS: `0.0.0.0:${ports.peer}`,
      CORE_PEER_LOCALMSPID: node.organization.mspId,
      CORE_PEER_MSPCONFIGPATH: mspFolder,
      CORE_PEER_TLS_ENABLED: "true",
      CORE_PEER_TLS_CERT_FILE: `${tlsFolder}/server.crt`,
      CORE_PEER_TLS_KEY_FILE: `${tlsFolder}/server.key`,
      CORE_PEER_TLS_ROOTCERT_FILE: `${tlsFolder}/ca.crt`,
      CORE_PEER_FILESYSTEMPATH: dataPath,
      CORE_LEDGER_SNAPSHOTS_ROOTDIR: `${dataPath}/snapshots`,
      CORE_PEER_GOSSIP_BOOTSTRAP: `peer0.${node.organization.namespace}:${ports.peer}`,
      CORE_PEER_GOSSIP_EXTERNALENDPOINT: address,
      CORE_OPERATIONS_LISTENADDRESS: `0.0.0.0:${ports.peerOperations}`,
      CORE_METRICS_PROVIDER: "prometheus",
      [builderSettings(node).name]: builderSettings(node).value,
      CORE_VM_DOCKER_ATTACHSTDOUT: "true", // the chaincode's own output appears in the peer's log
    },
  };
}

/** How the ledger's volume gets the peer's user as owner. "restricted" refuses root, but allows fsGroup, for there is no Docker graph. */
function ownerOfLedger(network: FabricNetwork): Pick<NodeDesign, "initContainers" | "podSecurityContext"> {
  if (peerSecurity(network) === "restricted") return { podSecurityContext: restrictedPod };
  return { initContainers: [ledgerOwner(network)] };
}

/**
 * Gives the empty ledger volume to the peer's user. Not by fsGroup: the kubelet would also change the group of every file
 * in the Docker graph, which has foreign images, and hostPath and many NFS volumes ignore fsGroup.
 */
function ledgerOwner(network: FabricNetwork): V1Container {
  return {
    name: "ledger-owner",
    image: network.spec.images.peer,
    command: ["chown", `${fabricUser}:${fabricUser}`, dataPath],
    securityContext: {
      runAsUser: 0,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"], add: ["CHOWN"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    resources: { requests: { cpu: "10m", memory: "16Mi" }, limits: { memory: "64Mi" } },
    volumeMounts: [{ name: "ledger", mountPath: dataPath }],
  };
}
