import { readFileSync } from "node:fs";
import type { V1Container } from "@kubernetes/client-node";
import { literal } from "./environment.ts";
import type { PeerContainer } from "./peer-container.ts";
import { dockerEndpoint } from "./profile.ts";
import type { InjectionRequest } from "./request.ts";
import { clientSecurity, idlerName, peerMount } from "./sidecar.ts";

/** core.yaml, operations.listenAddress. */
const operationsPort = "9443";

/**
 * Stops chaincode containers that have been idle for a while; the peer starts one again with the next call.
 *
 * The peer's metrics show what a chaincode does: its requests (chaincode_shim_requests_received, by package ID;
 * core/chaincode/handler.go) and its launches. The metrics of the peer's gRPC server show whether a call is under way:
 * proposals received less proposals completed (common/grpcmetrics/interceptor.go). They do not name the package, so any call
 * counts. The container is paused first: a call that comes then waits, is seen, and goes on when the container is unpaused.
 * Only a call in the moment between the last look and the kill is lost. When anything cannot be read or done, nothing is
 * stopped.
 *
 * In sh, awk and wget: another Node.js process would take the memory that this is to save. Without wget's -T, which crashes in
 * Debian's busybox 1.35.
 */
export const idleScript = readFileSync(new URL("./idle.sh", import.meta.url), "utf8");

/** A native sidecar beside the daemon, with as few rights as possible: it may use the daemon's socket and nothing else. */
export function idleContainer({ image, chaincodeIdle = 0 }: InjectionRequest, peer: PeerContainer): V1Container {
  const every = Math.min(60, Math.max(1, Math.floor(chaincodeIdle / 4)));
  return {
    name: idlerName,
    image,
    command: ["sh", "-c", idleScript, "idle", String(chaincodeIdle), String(every), metricsUrl(peer)],
    restartPolicy: "Always",
    env: [
      { name: "DOCKER_HOST", value: dockerEndpoint },
      { name: "HOME", value: "/tmp" },
    ],
    resources: { requests: { cpu: "5m", memory: "16Mi" }, limits: { cpu: "500m", memory: "128Mi" } },
    securityContext: clientSecurity(),
    volumeMounts: [peerMount()],
  };
}

function metricsUrl({ container }: PeerContainer): string {
  const address = literal(container, "CORE_OPERATIONS_LISTENADDRESS");
  return `http://localhost:${/:(\d{1,5})$/.exec(address ?? "")?.[1] ?? operationsPort}/metrics`;
}
