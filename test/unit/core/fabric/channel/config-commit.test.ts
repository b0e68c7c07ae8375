import { common } from "@hyperledger/fabric-protos";
import { expect, test } from "vitest";
import { FabricError } from "../../../../../core/error.ts";
import { configArrived, submitConfigChange } from "../../../../../core/fabric/channel/config-commit.ts";
import type { NodeConnection } from "../../../../../core/fabric/node/node-connection.ts";
import type { SigningIdentity } from "../../../../../core/fabric/identity/signing-identity.ts";

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

test("is not ready while there is no leader, and asks once", async () => {
  const { orderer, asked } = leaderless();
  const change = { channel: "mychannel", what: "a change", change: () => expect.fail() } as const;
  await expect(submitConfigChange(orderer, change)).rejects.toMatchObject({
    code: "not-ready",
    message: expect.stringContaining("no leader"),
  });
  expect(asked.times).toBe(1);
});

test("what is accepted and comes in no block for some seconds counts as lost", async () => {
  const { orderer } = leaderless();
  expect(await configArrived(orderer, { channel: "mychannel" }, { newest: 3 })).toBe(false);
});

test("whoever stops the wait hears why", async () => {
  const { orderer } = leaderless();
  const signal = AbortSignal.abort(new FabricError("interrupted", "stopped by SIGINT"));
  await expect(configArrived({ ...orderer, signal }, { channel: "mychannel" }, { newest: 3 })).rejects.toThrow(
    /no leader|stopped/,
  );
});
