import { peer } from "@hyperledger/fabric-protos";
import { messageOf, type Log } from "../../log.ts";
import type { Metrics } from "../../metrics.ts";
import type { TransactionContext } from "./context.ts";
import { answerRequest, type Iterators } from "./state-requests.ts";

const MessageType = peer.ChaincodeMessage.Type;
type MessageType = peer.ChaincodeMessage.TypeMap[keyof peer.ChaincodeMessage.TypeMap];

/** A stream to a chaincode, whichever side opened it. */
export interface ChaincodeStream {
  write(message: peer.ChaincodeMessage): boolean;
  end(): void;
  on(event: "data", listener: (message: peer.ChaincodeMessage) => void): unknown;
  on(event: "end" | "close" | "cancelled", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}

interface Running {
  readonly context: TransactionContext;
  readonly iterators: Iterators;
  finish(message: peer.ChaincodeMessage): void;
  fail(error: Error): void;
}

export interface HandlerOptions {
  readonly stream: ChaincodeStream;
  /** Called when the chaincode says who it is; throws when it is not wanted. */
  onRegister(handler: ChaincodeHandler, chaincodeId: string): void;
  /** Called once, when the stream has ended. */
  onEnd(handler: ChaincodeHandler): void;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** The peer's end of the conversation with one running chaincode (core/chaincode/handler.go). */
export class ChaincodeHandler {
  readonly #options: HandlerOptions;
  readonly #running = new Map<string, Running>();
  #chaincodeId = "";
  #ended = false;

  constructor(options: HandlerOptions) {
    this.#options = options;
    const { stream } = options;
    stream.on("data", (message) => this.#receive(message));
    stream.on("end", () => this.#end());
    stream.on("close", () => this.#end());
    stream.on("cancelled", () => this.#end());
    stream.on("error", () => this.#end());
  }

  get chaincodeId(): string {
    return this.#chaincodeId;
  }

  /** Has the chaincode run a transaction; rejects on timeout or when the stream ends. */
  execute(
    type: MessageType,
    context: TransactionContext,
    input: peer.ChaincodeInput,
    timeoutMilliseconds: number,
  ): Promise<peer.ChaincodeMessage> {
    const key = keyOf(context.channelId, context.transactionId);
    if (this.#running.has(key)) {
      return Promise.reject(new Error(`txid: ${context.transactionId}(${context.channelId}) exists`));
    }
    const message = newMessage(type, context.channelId, context.transactionId, input.serializeBinary());
    message.setProposal(context.signedProposal);
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#running.delete(key);
      };
      const timer = setTimeout(() => {
        this.#options.metrics.count("chaincode_execute_timeouts", { chaincode: this.#chaincodeId });
        done();
        reject(new Error("timeout expired while executing transaction"));
      }, timeoutMilliseconds);
      this.#running.set(key, {
        context,
        iterators: new Map(),
        finish: (reply) => {
          done();
          resolve(reply);
        },
        fail: (error) => {
          done();
          reject(error);
        },
      });
      this.#options.stream.write(message);
    });
  }

  /** Ends the conversation. */
  close(): void {
    this.#options.stream.end();
    this.#end();
  }

  #receive(message: peer.ChaincodeMessage): void {
    switch (message.getType()) {
      case MessageType.KEEPALIVE:
        return;
      case MessageType.REGISTER:
        this.#register(message);
        return;
      case MessageType.COMPLETED:
      case MessageType.ERROR:
        this.#running.get(keyOf(message.getChannelId(), message.getTxid()))?.finish(message);
        return;
      default:
        void this.#answer(message);
    }
  }

  #register(message: peer.ChaincodeMessage): void {
    const name = peer.ChaincodeID.deserializeBinary(message.getPayload_asU8()).getName();
    try {
      this.#chaincodeId = name;
      this.#options.onRegister(this, name);
    } catch (error) {
      this.#options.log(`failed to start ${name} -- ${messageOf(error)}`);
      this.close();
      return;
    }
    this.#options.stream.write(newMessage(MessageType.REGISTERED, "", "", new Uint8Array()));
    const parameters = new peer.ChaincodeAdditionalParams();
    parameters.setUseWriteBatch(true);
    parameters.setMaxSizeWriteBatch(1000);
    parameters.setUseGetMultipleKeys(true);
    parameters.setMaxSizeGetMultipleKeys(1000);
    this.#options.stream.write(newMessage(MessageType.READY, "", "", parameters.serializeBinary()));
  }

  async #answer(message: peer.ChaincodeMessage): Promise<void> {
    const channelId = message.getChannelId();
    const transactionId = message.getTxid();
    const labels = { type: typeName(message.getType()), channel: channelId, chaincode: this.#chaincodeId };
    this.#options.metrics.count("chaincode_shim_requests_received", labels);
    const started = performance.now();
    let reply: peer.ChaincodeMessage;
    try {
      const running = this.#running.get(keyOf(channelId, transactionId));
      if (running === undefined) {
        throw new Error("no ledger context");
      }
      const payload = await answerRequest(message, running.context, running.iterators);
      reply = newMessage(MessageType.RESPONSE, channelId, transactionId, payload);
    } catch (error) {
      const text = `${labels.type} failed: transaction ID: ${transactionId}: ${messageOf(error)}`;
      reply = newMessage(MessageType.ERROR, channelId, transactionId, Buffer.from(text));
    }
    const outcome = { ...labels, success: String(reply.getType() !== MessageType.ERROR) };
    this.#options.metrics.count("chaincode_shim_requests_completed", outcome);
    this.#options.metrics.observe("chaincode_shim_request_duration", (performance.now() - started) / 1000, outcome);
    this.#options.stream.write(reply);
  }

  #end(): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    for (const running of this.#running.values()) {
      running.fail(new Error("chaincode stream terminated"));
    }
    this.#options.onEnd(this);
  }
}

function keyOf(channelId: string, transactionId: string): string {
  return `${channelId} ${transactionId}`;
}

function typeName(type: number): string {
  return Object.entries(MessageType).find(([, value]) => value === type)?.[0] ?? String(type);
}

function newMessage(
  type: MessageType,
  channelId: string,
  transactionId: string,
  payload: Uint8Array,
): peer.ChaincodeMessage {
  const message = new peer.ChaincodeMessage();
  message.setType(type);
  message.setChannelId(channelId);
  message.setTxid(transactionId);
  message.setPayload(payload);
  return message;
}
