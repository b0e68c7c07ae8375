import { common } from "@hyperledger/fabric-protos";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FabricError } from "../../../../../core/error.ts";
import { commitConfigChange } from "../../../../../core/fabric/channel/config-commit.ts";
import type { NodeConnection } from "../../../../../core/fabric/node/node-connection.ts";
import type { SigningIdentity } from "../../../../../core/fabric/identity/signing-identity.ts";

beforeEach(() => void vi.useFakeTimers({ fakeNodeBuiltins: true }));
afterEach(() => void vi.useRealTimers());

const identity = { creator: new Uint8Array(), sign: async () => new Uint8Array() } as unknown as SigningIdentity;
const noLeader = { getBlock: () => undefined, getStatus: () => common.Status.SERVICE_UNAVAILABLE };

/** An orderer without a leader; `asked` counts how often it was asked. */
function leaderless() {
  const asked = { times: 0 };
  const deliver = () => ({
    write: () => {},
    end: () => {},
    cancel: () => {},
    on: () => {},
    async *[Symbol.asyncIterator]() {
      asked.times += 1;
      yield noLeader;
    },
  });
  const connection = { name: "orderer0", endpoint: {}, stub: () => ({ deliver }) } as unknown as NodeConnection;
  return { orderer: { connection, identity }, asked };
}

test("waits for a leader as long as the command does, then says that there was none", async () => {
  const { orderer, asked } = leaderless();
  const deadline = new AbortController();
  setTimeout(() => deadline.abort(new FabricError("timeout", "gave up after 600 s")), 600_000);
  const change = { channel: "mychannel", what: "a change", change: () => expect.fail() } as const;
  const end = commitConfigChange({ ...orderer, signal: deadline.signal }, change).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(601_000);
  expect(await end).toMatchObject({ code: "not-ready", message: expect.stringContaining("no leader") });
  expect(asked.times).toBeGreaterThan(1000);
});

test("asks nobody any more once it was stopped while it waited", async () => {
  const { orderer, asked } = leaderless();
  const interrupt = new AbortController();
  const change = { channel: "mychannel", what: "a change", change: () => expect.fail() } as const;
  const end = commitConfigChange({ ...orderer, signal: interrupt.signal }, change).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(700);
  const before = asked.times;
  interrupt.abort(new FabricError("interrupted", "stopped by SIGINT"));
  expect(await end).toMatchObject({ code: "not-ready" });
  expect(asked.times).toBe(before);
});
