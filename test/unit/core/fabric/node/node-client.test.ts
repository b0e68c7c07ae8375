import { Metadata, status, type ClientUnaryCall, type requestCallback, type ServiceError } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { unary, type NodeClient } from "../../../../../core/fabric/node/node-client.ts";

const client = { connection: { endpoint: {} } } as NodeClient;
const call = {} as ClientUnaryCall;

/** A call that ends with this failure. */
const failing = (failure: ServiceError) => (callback: requestCallback<string>) => (callback(failure), call);

test("a call that fails throws what its status means", async () => {
  const failure = Object.assign(new Error("no"), { code: status.NOT_FOUND, details: "no", metadata: new Metadata() });
  await expect(unary(client, "asking peer0.org1", failing(failure))).rejects.toMatchObject({ code: "not-found" });
});

test("a failure that cannot be read ends the call, too: nobody waits for ever", async () => {
  await expect(unary(client, "asking peer0.org1", failing({} as ServiceError))).rejects.toThrow(TypeError);
});
