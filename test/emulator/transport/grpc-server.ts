import {
  Server,
  type ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";

/** Fabric's limit (comm/config.go). */
export const maxMessageBytes = 100 * 1024 * 1024;

export interface Service {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/** Starts to listen; `address` is host:port, and the port that it got is returned. */
export async function listen(
  address: string,
  credentials: ServerCredentials,
  services: readonly Service[],
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = new Server({
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
  });
  services.forEach(({ definition, implementation }) => server.addService(definition, implementation));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(anyAddress(address), credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { server, port };
}

/** `:7051` and `7051` mean every address. */
export function anyAddress(address: string): string {
  const [, host = "", port = address] = /^(.*):(\d+)$/.exec(address) ?? [];
  return `${host === "" ? "0.0.0.0" : host}:${port}`;
}
