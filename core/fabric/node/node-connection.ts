import { Channel, type ChannelCredentials, type Client } from "@grpc/grpc-js";
import { type Endpoint, endpointName, grpcTarget } from "./endpoint.ts";

/** One HTTP/2 connection to a node that all of its gRPC services share. Opened by the first call, again when it was lost or idle. */
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
