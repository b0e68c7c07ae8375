import { expect, test } from "vitest";
import { FabricError, type ErrorCode } from "../../../../plugin/error.ts";
import { caughtUp, type CatchingUp, type Heights } from "../../../../plugin/network/heights.ts";
import type { OpenNetwork } from "../../../../plugin/network/open-network.ts";
import { hostOf, networkFromOptions, nodesOf, type FabricNode } from "../../../../plugin/network/spec.ts";

const definition = networkFromOptions({ peers: 2 });
const [organization] = definition.spec.peerOrganizations;
const [restarted] = organization ? nodesOf(organization) : [];
const { signal } = new AbortController();

type Answer = Heights | ErrorCode;
const at = (height: number): Heights => new Map([["mychannel", height]]);

/** What the restarted peer answers, one after the other and then the last for good; all others have ten blocks unless told. */
async function catching(own: readonly Answer[], others: Answer = at(10), limits: CatchingUp = {}) {
  const told: string[] = [];
  const left = [...own];
  const heightsOf: NonNullable<CatchingUp["heightsOf"]> = (_network, node) => {
    expect(node.component).toBe("peer");
    const answer = node === restarted ? left[0] : others;
    if (node === restarted && left.length > 1) left.shift();
    if (answer instanceof Map) return Promise.resolve(answer);
    return Promise.reject(new FabricError(answer as ErrorCode, `no answer of ${hostOf(node)}`));
  };
  const network = { definition } as OpenNetwork;
  const context = { signal, progress: (text: string) => void told.push(text) };
  const end = await caughtUp(network, restarted as FabricNode, context, { heightsOf, pause: 1, ...limits }).catch(
    (error: unknown) => error,
  );
  return { end, told };
}

test("it is waited for until it has what the others had, while it starts, too", async () => {
  const { end, told } = await catching(["connection", at(3), at(10)]);
  expect(end).toBe("restarted, has caught up");
  expect(told).toEqual(["catches up: no answer of peer0.org1", "catches up: mychannel: 3 of 10 blocks"]);
});

test("one that stays behind is told with what it lacks", async () => {
  const { end } = await catching([at(3)], at(10), { timeout: 0 });
  expect(end).toMatchObject({
    code: "not-ready",
    message: "expected peer0.org1 to catch up after its restart, found mychannel: 3 of 10 blocks",
    hint: expect.stringContaining("no further node is restarted"),
  });
});

test("of others that do not answer nothing is known", async () => {
  expect((await catching([at(3)], "connection")).end).toBe("restarted, has caught up");
});

test("who may not look goes on, and says so; what else fails ends it", async () => {
  expect((await catching(["forbidden"])).end).toBe("restarted; not allowed to look whether it has caught up");
  expect((await catching(["rejected"])).end).toMatchObject({ code: "rejected" });
});
