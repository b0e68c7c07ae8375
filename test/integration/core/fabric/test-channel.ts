import type { common } from "@hyperledger/fabric-protos";
import { joinOrderer } from "../../../../core/fabric/channel/channel-participation.ts";
import { type Consensus, genesisBlock } from "../../../../core/fabric/channel/genesis.ts";
import type { TestNode, TestOrganization } from "./fabric-nodes.ts";

export const channel = "mychannel";

/** The genesis block of a channel of these nodes; all orderers are consenters. */
export function genesisOf(
  type: Consensus["type"],
  orderers: readonly TestNode[],
  organizations: readonly TestOrganization[],
): common.Block {
  const consenters = orderers.map(({ address, tls, identity, organization: { mspId } }, index) => ({
    ...address,
    id: index + 1,
    mspId,
    identity: identity.certificate,
    clientTlsCertificate: tls.certificate,
    serverTlsCertificate: tls.certificate,
  }));
  const owners = [...new Set(orderers.map(({ organization }) => organization))];
  return genesisBlock(
    {
      name: channel,
      consensus: type === "raft" ? { type, consenters } : { type, consenters },
      ordererOrganizations: owners.map((owner) => ({
        msp: owner.msp,
        endpoints: orderers.filter(({ organization }) => organization === owner).map(({ address }) => address),
      })),
      peerOrganizations: organizations.map(({ msp }) => ({ msp })),
      batch: { timeout: "200ms" },
    },
    { now: new Date() },
  );
}

export async function joinOrderers(orderers: readonly TestNode[], genesis: common.Block): Promise<void> {
  await Promise.all(orderers.map(({ admin }) => joinOrderer(admin, genesis)));
}
