import type { KubernetesObject } from "../../kubernetes/client-node.ts";
import { mspFolder, tlsFolder } from "../identity/identity-secret.ts";
import { claimOf, ledgerClaimName, restrictedPod, serviceOf, statefulSetOf, type NodeDesign } from "./node-objects.ts";
import { clientPorts, ports, type FabricNode } from "../resources/nodes.ts";
import { memoryLimitOf, memoryRequests, type FabricNetwork } from "../resources/spec.ts";

const dataPath = "/var/hyperledger/production/orderer";

/** All objects of one orderer except its identity. Variables set the options of Fabric's sampleconfig/orderer.yaml. */
export function ordererObjects(network: FabricNetwork, node: FabricNode): KubernetesObject[] {
  const design = ordererDesign(network, node);
  return [
    serviceOf(network, node, design),
    claimOf(network, node, ledgerClaimName(node), network.spec.storage.ledger),
    statefulSetOf(network, node, design),
  ];
}

function ordererDesign(network: FabricNetwork, node: FabricNode): NodeDesign {
  return {
    image: network.spec.images.orderer,
    memory: { request: memoryRequests.orderer, limit: memoryLimitOf(network, "orderer") },
    ports: clientPorts.orderer,
    operationsPort: ports.ordererOperations,
    lastPort: ports.ordererAdmin, // orderer/common/server/main.go: opened after all channels
    dataPath,
    podSecurityContext: restrictedPod,
    env: {
      FABRIC_LOGGING_SPEC: "info",
      ORDERER_GENERAL_LISTENADDRESS: "0.0.0.0",
      ORDERER_GENERAL_LISTENPORT: String(ports.orderer),
      ORDERER_GENERAL_LOCALMSPID: node.organization.mspId,
      ORDERER_GENERAL_LOCALMSPDIR: mspFolder,
      ORDERER_GENERAL_BOOTSTRAPMETHOD: "none",
      ORDERER_GENERAL_TLS_ENABLED: "true",
      ORDERER_GENERAL_TLS_CERTIFICATE: `${tlsFolder}/server.crt`,
      ORDERER_GENERAL_TLS_PRIVATEKEY: `${tlsFolder}/server.key`,
      ORDERER_GENERAL_TLS_ROOTCAS: `[${tlsFolder}/ca.crt]`,
      ORDERER_GENERAL_CLUSTER_CLIENTCERTIFICATE: `${tlsFolder}/server.crt`,
      ORDERER_GENERAL_CLUSTER_CLIENTPRIVATEKEY: `${tlsFolder}/server.key`,
      ORDERER_GENERAL_CLUSTER_ROOTCAS: `[${tlsFolder}/ca.crt]`,
      ORDERER_CHANNELPARTICIPATION_ENABLED: "true",
      ORDERER_ADMIN_LISTENADDRESS: `0.0.0.0:${ports.ordererAdmin}`,
      ORDERER_ADMIN_TLS_ENABLED: "true",
      ORDERER_ADMIN_TLS_CERTIFICATE: `${tlsFolder}/server.crt`,
      ORDERER_ADMIN_TLS_PRIVATEKEY: `${tlsFolder}/server.key`,
      ORDERER_ADMIN_TLS_CLIENTAUTHREQUIRED: "true",
      ORDERER_ADMIN_TLS_CLIENTROOTCAS: `[${tlsFolder}/ca.crt]`,
      ORDERER_FILELEDGER_LOCATION: dataPath,
      ORDERER_CONSENSUS_WALDIR: `${dataPath}/etcdraft/wal`,
      ORDERER_CONSENSUS_SNAPDIR: `${dataPath}/etcdraft/snapshot`,
      ORDERER_OPERATIONS_LISTENADDRESS: `0.0.0.0:${ports.ordererOperations}`,
      ORDERER_METRICS_PROVIDER: "prometheus",
    },
  };
}
