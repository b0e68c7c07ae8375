import {
  Channel,
  type ChannelCredentials,
  type Client,
  type ClientUnaryCall,
  type Deadline,
  type requestCallback,
} from "@grpc/grpc-js";
import { type CallOptions, defaultTimeout } from "./call-options.ts";
import { type Endpoint, endpointName, grpcTarget } from "./endpoint.ts";
import { grpcError } from "./grpc-error.ts";

/** One HTTP/2 connection to a node that all of its gRPC services share. Opened by the first call, again when lost. */
export interface NodeConnection {
  readonly endpoint: Endpoint;
  /** For people. */
  readonly name: string;
  /** A generated client of fabric-protos over this connection. */
  stub<Stub extends Client>(Service: StubConstructor<Stub>): Stub;
  close(): void;
}

type StubConstructor<Stub extends Client> = new (
  address: string,
  credentials: ChannelCredentials,
  options?: object,
) => Stub;

export function connectNode(endpoint: Endpoint): NodeConnection {
  const { address, credentials, options } = grpcTarget(endpoint);
  const channel = new Channel(address, credentials, options);
  return {
    endpoint,
    name: endpointName(endpoint),
    stub: (Service) => new Service(address, credentials, { channelOverride: channel }),
    close: () => channel.close(),
  };
}

/** When a call has to be over; Infinity is grpc-js' own word for never. */
export function deadlineOf({ timeout = defaultTimeout }: CallOptions): { readonly deadline: Deadline } {
  return { deadline: timeout === Infinity ? Infinity : new Date(Date.now() + timeout) };
}

/** One unary call as a promise, ended by the signal. Throws what the status means; `what` was to be done. */
export function unary<Response>(
  { endpoint }: NodeConnection,
  what: string,
  { signal }: CallOptions,
  start: (callback: requestCallback<Response>) => ClientUnaryCall,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const call = start((error, response) => {
      signal?.removeEventListener("abort", abort);
      if (error) reject(grpcError(what, error, endpoint));
      else if (response === undefined) reject(new Error(`${what}: expected a response, found none`));
      else resolve(response);
    });
    const abort = () => call.cancel();
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
  });
}
