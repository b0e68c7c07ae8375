import { afterEach, expect, test, vi } from "vitest";
import { FabricError, type ErrorCode } from "../../../../../core/error.ts";
import { caughtUp, type CatchingUp, type Heights } from "../../../../../core/network/session/heights.ts";
import type { OpenNetwork } from "../../../../../core/network/session/open-network.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import { hostOf, nodesOf, type FabricNode } from "../../../../../core/network/resources/nodes.ts";
import { typedAs } from "../../../../typed-as.ts";

const definition = networkFor({ peers: 2 });
const [organization] = definition.spec.peerOrganizations;
const [restarted] = organization ? nodesOf(organization) : [];

type Answer = Heights | ErrorCode;
const at = (height: number): Heights => new Map([["mychannel", height]]);

/** What the restarted peer answers, one after the other and then the last for good; all others have ten blocks unless told. */
async function catching(
  own: readonly Answer[],
  others: Answer = at(10),
  signal = new AbortController().signal,
  pause = 1,
  unaware: readonly string[] = [],
) {
  const told: string[] = [];
  const left = [...own];
  const heightsOf: NonNullable<CatchingUp["heightsOf"]> = (_network, node) => {
    expect(node.component).toBe("peer");
    const answer = node === restarted ? left[0] : others;
    if (node === restarted && left.length > 1) left.shift();
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    if (answer instanceof Map) return Promise.resolve(answer);
    return Promise.reject(new FabricError(answer as ErrorCode, `no answer of ${hostOf(node)}`));
  };
  const network = { definition } as OpenNetwork;
  const context = { signal, progress: (text: string) => void told.push(text) };
  const end = await caughtUp(network, restarted as FabricNode, context, {
    heightsOf,
    pause,
    unaware: async (_network, node, channels) =>
      unaware.map((other) => `${other} (of ${hostOf(node)} on ${channels.join()})`),
  }).catch((error: unknown) => error);
  return { end, told };
}

afterEach(() => void vi.useRealTimers());

test("it is waited for until it has what the others had, while it starts, too", async () => {
  const { end, told } = await catching(["connection", at(3), at(10)]);
  expect(end).toBe("restarted, has caught up");
  expect(told).toEqual(["catches up: no answer of peer0.org1", "catches up: mychannel: 3 of 10 blocks"]);
});

test("it is waited for as long as the command does, then told with what it lacks", async () => {
  vi.useFakeTimers({ fakeNodeBuiltins: true });
  const deadline = new AbortController();
  setTimeout(() => deadline.abort(new FabricError("timeout", "gave up after 3600 s")), 3_600_000);
  const running = catching([at(3)], at(10), deadline.signal, 5000);
  let isOver = false;
  void running.then(() => (isOver = true));
  await vi.advanceTimersByTimeAsync(3_500_000);
  expect(isOver).toBe(false);
  await vi.advanceTimersByTimeAsync(100_000);
  const { end } = await running;
  expect(end).toMatchObject({
    code: "not-ready",
    message: "expected peer0.org1 to catch up after its restart, found mychannel: 3 of 10 blocks",
    hint: typedAs(expect.stringContaining("no further node is restarted")),
  });
});

test("one that cannot be connected for two minutes has gone again; one that answers late has not", async () => {
  vi.useFakeTimers({ fakeNodeBuiltins: true });
  const gone = catching([at(3), "connection"], at(10), undefined, 5000);
  await vi.advanceTimersByTimeAsync(130_000);
  expect((await gone).end).toMatchObject({
    code: "not-ready",
    message: expect.stringContaining("found no answer of peer0.org1"),
  });
  const deadline = new AbortController();
  const late = catching(["timeout"], at(10), deadline.signal, 5000);
  let isOver = false;
  void late.then(() => (isOver = true));
  await vi.advanceTimersByTimeAsync(1_000_000);
  expect(isOver).toBe(false);
  deadline.abort(new FabricError("timeout", "gave up"));
  await late;
});

test("Ctrl-C ends the wait", async () => {
  const stopped = new FabricError("interrupted", "stopped by SIGINT");
  const interrupt = new AbortController();
  setTimeout(() => interrupt.abort(stopped), 5);
  expect((await catching([at(3)], at(10), interrupt.signal)).end).toBe(stopped);
});

test("of others that do not answer nothing is known", async () => {
  expect((await catching([at(3)], "connection")).end).toBe("restarted, has caught up");
});

test("who may not look goes on, and says so; what else fails ends it", async () => {
  expect((await catching(["forbidden"])).end).toBe("restarted; not allowed to look whether it has caught up");
  expect((await catching(["rejected"])).end).toMatchObject({ code: "rejected" });
});

test("peers whose gossip has not found it are told, and nothing fails", async () => {
  const { end } = await catching([at(10)], at(10), undefined, 1, ["peer0.org2"]);
  expect(end).toBe("restarted, has caught up; not yet known to the gossip of peer0.org2 (of peer0.org1 on mychannel)");
});
