import type { V1Container } from "@kubernetes/client-node";
import { literal } from "./environment.ts";
import { cut, type Warning } from "./outcome.ts";
import { chaincodePort } from "./peer-wiring.ts";
import type { Wiring } from "./profile.ts";

/**
 * Variables of external builders that run chaincode in Pods of its own: hyperledger-labs/fabric-builder-k8s (docs/configuring) and
 * postfinance/hlfabric-k8scc, which hlf-operator brings. A list of builders may stand in a variable, too (Fabric 2.2.1:
 * core/peer/config.go, chaincode.externalBuilders). One that only core.yaml names is not seen.
 */
function builderOf(peer: V1Container): string | undefined {
  const listed = "CORE_CHAINCODE_EXTERNALBUILDERS";
  const named = (peer.env ?? []).find(({ name }) => name.startsWith("FABRIC_K8S_BUILDER_") || name === "K8SCC_CFGFILE");
  return named?.name ?? (/k8s/i.test(literal(peer, listed) ?? "") ? listed : undefined);
}

/**
 * Warnings about chaincode in Pods of its own. A peer tells all chaincode one address (internal/peer/node/start.go,
 * computeChaincodeEndpoint), and that of chaincode in the peer's own Pod leads nowhere from another.
 */
export function builderWarnings(peer: V1Container, { address, listen }: Wiring): readonly Warning[] {
  const builder = builderOf(peer);
  if (builder === undefined || listen === "0.0.0.0") return [];
  const message = `chaincode that an external builder (${cut(builder, 40)}) runs in Pods of its own is told ${address}:${chaincodePort(peer)} from now on and does not reach this peer: deploy it anew, for Docker or as a service, or do not inject this peer`;
  return [{ reason: "external-builder", message }];
}
