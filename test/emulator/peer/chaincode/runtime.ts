import type { ChaincodePackage } from "../lifecycle/package-store.ts";

/** How a chaincode that the peer starts reaches it. */
export interface PeerConnection {
  /** host:port of the peer's chaincode service. */
  readonly address: string;
  /** PEM; absent without TLS. */
  readonly tls:
    { readonly clientKey: string; readonly clientCertificate: string; readonly rootCertificate: string } | undefined;
}

/** Where a chaincode that runs as a service is, as its package's connection.json says (core/container/ccintf). */
export interface ChaincodeServer {
  readonly address: string;
  readonly dialTimeoutMilliseconds: number;
  /** PEM; absent without TLS. */
  readonly tls:
    | {
        readonly rootCertificate: string;
        readonly clientKey: string | undefined;
        readonly clientCertificate: string | undefined;
      }
    | undefined;
}

/** A chaincode that was built: either the peer starts it, or it runs already and the peer dials it. */
export type ChaincodeInstance =
  | { readonly kind: "server"; readonly server: ChaincodeServer }
  | {
      readonly kind: "container";
      start(connection: PeerConnection): Promise<void>;
      stop(): Promise<void>;
      /** The exit code, once it ends. */
      wait(): Promise<number>;
    };

export interface Runtime {
  /** Undefined when this runtime is not for the package. */
  build(chaincode: ChaincodePackage): Promise<ChaincodeInstance | undefined>;
}
