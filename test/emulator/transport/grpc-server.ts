import {
  Server,
  ServerInterceptingCall,
  status,
  type ServerCredentials,
  type ServerInterceptor,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { Metrics } from "../metrics.ts";

/** Fabric's limit (comm/config.go). */
export const maxMessageBytes = 100 * 1024 * 1024;

export interface Service {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/** Counts calls under way and done (common/grpcmetrics/interceptor.go). */
function counted(metrics: Metrics): ServerInterceptor {
  return ({ path, requestStream, responseStream }, call) => {
    if (requestStream || responseStream) return new ServerInterceptingCall(call);
    const [, service = "unknown", method = "unknown"] = path.replaceAll(".", "_").split("/");
    const labels = { service, method };
    metrics.count("grpc_server_unary_requests_received", labels);
    return new ServerInterceptingCall(call, {
      sendStatus: (end, next) => {
        metrics.count("grpc_server_unary_requests_completed", { ...labels, code: codeName(end.code) });
        next(end);
      },
    });
  };
}

/** As Go prints it: NOT_FOUND is NotFound. */
function codeName(code: status): string {
  const words = (status[code] ?? "UNKNOWN").toLowerCase().split("_");
  return code === status.OK ? "OK" : words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

/** Starts to listen; `address` is host:port, and the port that it got is returned. */
export async function listen(
  address: string,
  credentials: ServerCredentials,
  services: readonly Service[],
  metrics?: Metrics,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = new Server({
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    interceptors: metrics === undefined ? [] : [counted(metrics)],
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
