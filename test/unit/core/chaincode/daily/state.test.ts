import { expect, test } from "vitest";
import { seedSteps } from "../../../../../core/chaincode/daily/seed-plan.ts";
import { chaincodeState, chaincodeStates } from "../../../../../core/chaincode/daily/state.ts";
import { where } from "../../../../../plugin/commands/chaincode/table.ts";
import { assetDefinition, scriptedPeers, withRightsIn } from "../scripted-peers.ts";

const { signal } = new AbortController();
const committed = { ...assetDefinition, version: "3", sequence: 3 };
const approved = [2, 3].map((sequence) => ({ ...committed, sequence, packageId: `asset:${sequence}` }));

test("a peer that lags behind does not say what is committed, nor what its organization runs", async () => {
  const { network } = scriptedPeers({
    committed,
    peers: 2,
    approved: { org1: approved, org2: approved },
    channels: ["mychannel"],
    installed: [],
    lags: (host) => (host === "peer0.org1" ? 2 : undefined),
  });
  const { sequence, peers } = await chaincodeState(network, { channel: "mychannel", name: "asset" }, signal);
  expect(sequence).toBe(3);
  expect(peers.map(({ peer, packageId }) => `${peer} ${packageId}`)).toEqual([
    "peer0.org1 asset:3",
    "peer1.org1 asset:3",
    "peer0.org2 asset:3",
    "peer1.org2 asset:3",
  ]);
});

test("a peer that one may not ask is forbidden, not unreachable", async () => {
  const { network } = scriptedPeers({ committed: assetDefinition, channels: ["mychannel"], installed: [] });
  const [state] = await chaincodeStates(withRightsIn(network, "org1"), {}, signal);
  expect(state?.peers.map((peer) => `${peer.peer}:${where(peer)}`)).toEqual([
    "peer0.org1:not-approved",
    "peer0.org2:forbidden",
  ]);
  expect(state?.peers[1]).toMatchObject({ problem: "no right" });
});

test("a name that chaincode seed does not find is wrong usage; that there is nothing at all is not", async () => {
  const { network } = scriptedPeers({ channels: ["mychannel"] });
  const { signal } = new AbortController();
  await expect(seedSteps(network, { name: "nope" }, signal)).rejects.toMatchObject({
    code: "usage",
    message: "expected a chaincode that is on a channel, approved with a package, found nope",
  });
  await expect(seedSteps(network, {}, signal)).rejects.toMatchObject({ code: "not-found" });
});
