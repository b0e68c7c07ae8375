import { expect, test } from "vitest";
import { FabricError } from "../../../../../core/error.ts";
import type { ChannelMember } from "../../../../../core/fabric/node/discovery.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import { hostOf, nodesOf, type FabricNode } from "../../../../../core/network/resources/nodes.ts";
import { unawareOf, type MembersOf } from "../../../../../core/network/session/gossip.ts";
import type { OpenNetwork } from "../../../../../core/network/session/open-network.ts";

const definition = networkFor({ peers: 2 });
const [organization] = definition.spec.peerOrganizations;
const [restarted] = (organization ? nodesOf(organization) : []) as [FabricNode];

const itself = (...chaincodes: readonly string[]): ChannelMember => ({ address: "peer0.org1:7051", chaincodes });
const nobody: readonly ChannelMember[] = [{ address: "peer1.org1:7051", chaincodes: ["asset"] }];

type View = readonly ChannelMember[] | undefined | FabricError;

/** What each peer's gossip knows, one answer after the other and then the last for good. */
async function looking(views: Readonly<Record<string, readonly View[]>>, within = 60_000, signal?: AbortSignal) {
  const left = new Map(Object.entries(views).map(([host, all]) => [host, [...all]]));
  const membersOf: MembersOf = async (node, channel) => {
    expect(channel).toBe("mychannel");
    const mine = left.get(hostOf(node)) ?? [[itself("asset")]];
    const view = mine.length > 1 ? mine.shift() : mine[0];
    if (view instanceof FabricError) throw view;
    return view;
  };
  const told: string[] = [];
  const context = {
    signal: signal ?? new AbortController().signal,
    progress: (text: string) => void told.push(text),
  };
  const network = { definition } as OpenNetwork;
  return { unaware: await unawareOf(network, restarted, ["mychannel"], context, { membersOf, within }), told };
}

test("it is waited for until every other peer has found it, with its chaincodes", async () => {
  const { unaware, told } = await looking({
    "peer1.org1": [nobody, [itself("asset")]],
    "peer0.org2": [[itself("asset")], [itself("asset")]],
    "peer1.org2": [[itself()], [itself()], [itself("asset", "other")]],
  });
  expect(unaware).toEqual([]);
  expect(told).toEqual([
    "not yet known to the gossip of peer1.org1, peer1.org2",
    "not yet known to the gossip of peer1.org2",
  ]);
});

test("what never finds it is told, for gossip may not have known it before", async () => {
  expect((await looking({ "peer0.org2": [nobody] }, 1)).unaware).toEqual(["peer0.org2"]);
});

test("peers that do not answer, refuse or offer no discovery are left out", async () => {
  const silent = new FabricError("connection", "no answer");
  const refusing = new FabricError("rejected", "access denied");
  const answers = { "peer1.org1": [silent], "peer0.org2": [refusing], "peer1.org2": [undefined] };
  expect(await looking(answers)).toEqual({ unaware: [], told: [] });
});

test("of a peer that offers no discovery itself nothing is asked", async () => {
  const answers = { "peer0.org1": [undefined], "peer1.org1": [nobody], "peer0.org2": [nobody] };
  expect(await looking(answers)).toEqual({ unaware: [], told: [] });
});

test("Ctrl-C ends the wait", async () => {
  const stopped = new FabricError("interrupted", "stopped by SIGINT");
  const interrupt = AbortSignal.abort(stopped);
  await expect(looking({ "peer0.org2": [nobody] }, 60_000, interrupt)).rejects.toBe(stopped);
});

test("a peer that once refused is not asked again", async () => {
  const asked: string[] = [];
  const membersOf: MembersOf = async (node) => {
    asked.push(hostOf(node));
    if (hostOf(node) === "peer0.org2") throw new FabricError("rejected", "access denied");
    const isFirst = asked.filter((host) => host === "peer1.org1").length === 1;
    return hostOf(node) === "peer1.org1" && isFirst ? nobody : [itself("asset")];
  };
  const context = { signal: new AbortController().signal, progress: () => {} };
  expect(await unawareOf({ definition } as OpenNetwork, restarted, ["mychannel"], context, { membersOf })).toEqual([]);
  expect(asked.filter((host) => host === "peer1.org1")).toHaveLength(2);
  expect(asked.filter((host) => host === "peer0.org2")).toHaveLength(1);
});
