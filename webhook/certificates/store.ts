import type { KeyPair } from "./certificate.ts";

/** A value that was read, and the version that a write has to name. */
export interface Versioned<T> {
  readonly value: T;
  readonly resourceVersion: string;
}

/** The signing CA, and the bundle of all CAs to trust: this one first, then earlier ones. PEM. */
export interface Authority extends KeyPair {
  readonly bundle: readonly string[];
}

/** "conflict": somebody else wrote first; read again. */
export type Written = "written" | "conflict";

/**
 * The certificates' objects, which all replicas share: two Secrets and a webhook configuration. There is no leader: every write
 * names the version that was read, and of two writes with the same version one succeeds.
 */
export interface CertificateStore {
  /** An empty Secret has empty values. */
  readAuthority(): Promise<Versioned<Authority>>;
  writeAuthority(authority: Authority, resourceVersion: string): Promise<Written>;
  readLeaf(): Promise<Versioned<KeyPair>>;
  writeLeaf(leaf: KeyPair, resourceVersion: string): Promise<Written>;
  /** The CAs that the API server trusts, one list for each webhook of the configuration. */
  readTrusted(): Promise<Versioned<readonly (readonly string[])[]>>;
  writeTrusted(bundle: readonly string[], resourceVersion: string): Promise<Written>;
}
