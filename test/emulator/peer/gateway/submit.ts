import { common, gateway, orderer } from "@hyperledger/fabric-protos";
import { messageOf } from "../../log.ts";
import { dial } from "../../transport/tls.ts";
import type { PeerChannels } from "../peer-channels.ts";
import { code, RpcError, type ErrorDetail } from "./rpc-error.ts";

/** peer.gateway.broadcastTimeout in core.yaml. */
const timeoutMilliseconds = 30_000;

interface Endpoint {
  readonly address: string;
  readonly mspId: string;
  readonly tlsRoots: readonly string[];
}

/** Sends a transaction to the channel's orderers (internal/pkg/gateway/submit.go). */
export async function submit(request: gateway.SubmitRequest, channels: PeerChannels): Promise<gateway.SubmitResponse> {
  const transaction = request.getPreparedTransaction();
  if (transaction === undefined) {
    throw new RpcError(code.INVALID_ARGUMENT, "a prepared transaction is required");
  }
  if (transaction.getSignature_asU8().length === 0) {
    throw new RpcError(code.INVALID_ARGUMENT, "prepared transaction must be signed");
  }
  const config = channels.get(request.getChannelId())?.config;
  const endpoints = config?.ordererEndpoints() ?? [];
  if (endpoints.length === 0) {
    throw new RpcError(code.UNAVAILABLE, "no orderer nodes available");
  }
  return config?.orderer.type === "BFT" ? toQuorum(endpoints, transaction) : toOne(endpoints, transaction);
}

async function toOne(endpoints: readonly Endpoint[], transaction: common.Envelope): Promise<gateway.SubmitResponse> {
  const details: ErrorDetail[] = [];
  for (const endpoint of shuffled(endpoints)) {
    try {
      const answer = await broadcast(endpoint, transaction);
      if (answer.getStatus() === common.Status.SUCCESS) {
        return new gateway.SubmitResponse();
      }
      if (answer.getStatus() >= 400 && answer.getStatus() < 500) {
        throw new RpcError(code.ABORTED, unsuccessful(answer));
      }
    } catch (error) {
      if (error instanceof RpcError) {
        throw error;
      }
      details.push({ address: endpoint.address, mspId: endpoint.mspId, message: messageOf(error) });
    }
  }
  throw new RpcError(code.UNAVAILABLE, "no orderers could successfully process transaction", details);
}

async function toQuorum(endpoints: readonly Endpoint[], transaction: common.Envelope): Promise<gateway.SubmitResponse> {
  const details: ErrorDetail[] = [];
  const answers = await Promise.all(
    endpoints.map(async (endpoint) => {
      const { address, mspId } = endpoint;
      try {
        const answer = await broadcast(endpoint, transaction);
        if (answer.getStatus() === common.Status.SUCCESS) {
          return true;
        }
        details.push({ address, mspId, message: unsuccessful(answer) });
      } catch (error) {
        details.push({ address, mspId, message: messageOf(error) });
      }
      return false;
    }),
  );
  const faults = Math.floor((endpoints.length - 1) / 3);
  const quorum = Math.ceil((endpoints.length + faults + 1) / 2);
  if (answers.filter(Boolean).length < quorum) {
    throw new RpcError(
      code.UNAVAILABLE,
      "insufficient number of orderers could successfully process transaction to satisfy quorum requirement",
      details,
    );
  }
  return new gateway.SubmitResponse();
}

async function broadcast(endpoint: Endpoint, transaction: common.Envelope): Promise<orderer.BroadcastResponse> {
  const { credentials, options } = dial(endpoint.address, endpoint.tlsRoots);
  const client = new orderer.AtomicBroadcastClient(endpoint.address, credentials, options);
  const stream = client.broadcast({ deadline: Date.now() + timeoutMilliseconds });
  try {
    return await new Promise((resolve, reject) => {
      stream.once("data", resolve);
      stream.once("error", reject);
      stream.once("end", () => reject(new Error("EOF")));
      stream.write(transaction);
    });
  } finally {
    stream.on("error", () => undefined);
    stream.end();
    client.close();
  }
}

function unsuccessful(answer: orderer.BroadcastResponse): string {
  const name = Object.entries(common.Status).find(([, value]) => value === answer.getStatus())?.[0] ?? "UNKNOWN";
  return `received unsuccessful response from orderer: status=${name}, info=${answer.getInfo()}`;
}

function shuffled<T>(items: readonly T[]): readonly T[] {
  return items
    .map((item) => ({ item, place: Math.random() }))
    .sort((one, other) => one.place - other.place)
    .map(({ item }) => item);
}
