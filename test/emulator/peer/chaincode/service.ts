import type { ServerDuplexStream } from "@grpc/grpc-js";
import { peer } from "@hyperledger/fabric-protos";
import type { Environment } from "../../environment.ts";
import { listen } from "../../transport/grpc-server.ts";
import { serverCredentials } from "../../transport/tls.ts";
import { CertificateAuthority } from "./certificate-authority.ts";
import type { ChaincodeLauncher } from "./launcher.ts";
import type { PeerConnection } from "./runtime.ts";

/** The side of the peer that chaincodes dial. */
export interface ChaincodeService {
  /** host:port that is given to chaincodes. */
  readonly endpoint: string;
  newConnection(): Promise<PeerConnection>;
  serve(launcher: ChaincodeLauncher): Promise<() => void>;
}

const defaultPort = "7052";

/** Sets up the chaincode service of a peer; with TLS, it makes an authority of its own at every start (internal/peer/node/start.go createChaincodeServer). */
export async function newChaincodeService(environment: Environment): Promise<ChaincodeService> {
  const peerHost = hostOf(environment.text("PEER_ADDRESS", "0.0.0.0:7051"));
  const listenAddress = environment.text("PEER_CHAINCODELISTENADDRESS", `${peerHost}:${defaultPort}`);
  const endpoint = endpointOf(environment, peerHost);
  const authority = environment.flag("PEER_TLS_ENABLED") ? await CertificateAuthority.create(new Date()) : undefined;
  return {
    endpoint,
    newConnection: async () => {
      const client = await authority?.client(new Date());
      return {
        address: endpoint,
        tls:
          authority === undefined || client === undefined
            ? undefined
            : {
                clientKey: client.key,
                clientCertificate: client.certificate,
                rootCertificate: authority.certificate,
              },
      };
    },
    serve: async (launcher) => {
      const pair = await authority?.server(hostOf(endpoint), new Date());
      const credentials = serverCredentials(
        authority === undefined || pair === undefined
          ? undefined
          : {
              certificate: Buffer.from(pair.certificate),
              key: Buffer.from(pair.key),
              clientRoots: Buffer.from(authority.certificate),
            },
      );
      const register = (stream: ServerDuplexStream<peer.ChaincodeMessage, peer.ChaincodeMessage>): void =>
        launcher.accept(stream);
      const service = { definition: peer.ChaincodeSupportService, implementation: { register } };
      const { server } = await listen(listenAddress, credentials, [service]);
      return () => server.forceShutdown();
    },
  };
}

/** internal/peer/node/start.go computeChaincodeEndpoint. */
function endpointOf(environment: Environment, peerHost: string): string {
  const given = environment.text("PEER_CHAINCODEADDRESS");
  const listening = environment.text("PEER_CHAINCODELISTENADDRESS");
  const chosen = given !== "" ? given : listening !== "" ? listening : `${peerHost}:${defaultPort}`;
  if (!isUnspecified(hostOf(chosen))) {
    return chosen;
  }
  if (given !== "" || isUnspecified(peerHost)) {
    throw new Error("invalid endpoint for chaincode to connect");
  }
  return `${peerHost}:${chosen.slice(chosen.lastIndexOf(":") + 1)}`;
}

function isUnspecified(host: string): boolean {
  return host === "0.0.0.0" || host === "[::]" || host === "::";
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}
