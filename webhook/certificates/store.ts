import type { KeyPair } from "./certificate.ts";

/** What was read, with the version that a write of it must name. */
export interface Versioned<T> {
  readonly value: T;
  readonly resourceVersion: string;
}

/** The CA that signs, and every CA that is to be trusted: this one first, then those it followed. PEM. */
export interface Authority extends KeyPair {
  readonly bundle: readonly string[];
}

/** "conflict": somebody else wrote first; read again. */
export type Written = "written" | "conflict";

/**
 * Where certificates live: two Secrets and a webhook configuration, which all replicas share. Nobody leads: every write names
 * the version it was read at, and of two that name the same one wins.
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
