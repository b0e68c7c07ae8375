import { common, orderer } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";
import { statusName } from "./deliver.ts";
import { grpcError, isServiceError } from "./grpc-error.ts";
import { answers, says } from "./answers.ts";
import { deadlineOf, type NodeClient } from "./node-client.ts";
import { rejectionHint } from "./rejection.ts";

/**
 * Sends a transaction or a configuration update to an orderer, which accepts or refuses it. Accepted is not committed.
 * Throws `not-ready` while there is no leader, `not-found` when the orderer has not joined the channel, `rejected` otherwise.
 */
export async function broadcast(client: NodeClient, envelope: common.Envelope, what: string): Promise<void> {
  const { connection, signal } = client;
  const stream = connection.stub(orderer.AtomicBroadcastClient).broadcast(deadlineOf(client));
  const abort = () => stream.cancel();
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  try {
    stream.write(envelope);
    for await (const response of stream as AsyncIterable<orderer.BroadcastResponse>) {
      if (response.getStatus() === common.Status.SUCCESS) return;
      throw broadcastError(`${what} at ${connection.name}`, response);
    }
  } catch (error) {
    throw isServiceError(error) ? grpcError(`${what} at ${connection.name}`, error, connection.endpoint) : error;
  } finally {
    signal?.removeEventListener("abort", abort);
    stream.end();
    stream.cancel();
  }
  throw new FabricError("connection", `${what} at ${connection.name}: the stream ended without an answer`);
}

/** orderer/common/broadcast/broadcast.go, ClassifyError. */
function broadcastError(what: string, response: orderer.BroadcastResponse): FabricError {
  const message = `${what}: ${response.getInfo() || statusName(response.getStatus())}`;
  if (says(message, answers.quorumLoss)) {
    return new FabricError("not-ready", message, { hint: "wait until all of the channel's consenters run" });
  }
  switch (response.getStatus()) {
    case common.Status.SERVICE_UNAVAILABLE:
      return new FabricError("not-ready", message, {
        hint: "more than half of the channel's consenters must run and reach each other",
      });
    case common.Status.NOT_FOUND:
      return new FabricError("not-found", message, { hint: "has the orderer joined the channel?" });
    default:
      return new FabricError("rejected", message, { hint: rejectionHint(response.getInfo()) });
  }
}
