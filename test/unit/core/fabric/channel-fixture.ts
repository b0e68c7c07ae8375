import type { BftConsenter } from "../../../../core/fabric/channel/bft.ts";
import type { ChannelGenesis } from "../../../../core/fabric/channel/genesis.ts";
import type { MspDefinition } from "../../../../core/fabric/identity/msp.ts";

/** Not certificates, but what stands in their place is easier to read in a golden file. */
export function fixtureMsp(mspId: string): MspDefinition {
  return { mspId, rootCertificates: [`CA of ${mspId}\n`], tlsRootCertificates: [`TLS CA of ${mspId}\n`] };
}

const fixtureConsenters: readonly BftConsenter[] = [0, 1, 2, 3].map((index) => ({
  id: index + 1,
  host: `orderer${index}.orderers`,
  port: 7050,
  mspId: "OrdererMSP",
  identity: `identity of orderer${index}\n`,
  clientTlsCertificate: `client certificate of orderer${index}\n`,
  serverTlsCertificate: `server certificate of orderer${index}\n`,
}));

export const raftChannel: ChannelGenesis = {
  name: "mychannel",
  consensus: {
    type: "raft",
    consenters: fixtureConsenters.slice(0, 3).map(({ host, port, clientTlsCertificate, serverTlsCertificate }) => ({
      host,
      port,
      clientTlsCertificate,
      serverTlsCertificate,
    })),
  },
  ordererOrganizations: [
    {
      msp: fixtureMsp("OrdererMSP"),
      endpoints: fixtureConsenters.slice(0, 3).map(({ host, port }) => ({ host, port })),
    },
  ],
  peerOrganizations: [
    { msp: fixtureMsp("Org1MSP"), anchorPeers: [{ host: "peer0.org1", port: 7051 }] },
    { msp: fixtureMsp("Org2MSP") },
  ],
};

export const bftChannel: ChannelGenesis = { ...raftChannel, consensus: { type: "bft", consenters: fixtureConsenters } };
