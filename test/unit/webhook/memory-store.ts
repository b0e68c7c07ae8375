import type { KeyPair } from "../../../webhook/certificates/certificate.ts";
import type { Authority, CertificateStore, Versioned, Written } from "../../../webhook/certificates/store.ts";

/** What a cluster keeps, with the one rule that replicas rely on: a write names the version it was read at, or loses. */
export class MemoryStore implements CertificateStore {
  #version = 1;
  #authority: Versioned<Authority> = { value: { cert: "", key: "", bundle: [] }, resourceVersion: "1" };
  #leaf: Versioned<KeyPair> = { value: { cert: "", key: "" }, resourceVersion: "1" };
  #trusted: Versioned<readonly (readonly string[])[]> = { value: [[]], resourceVersion: "1" };
  conflicts = 0;

  async readAuthority(): Promise<Versioned<Authority>> {
    return later(() => this.#authority);
  }

  async readLeaf(): Promise<Versioned<KeyPair>> {
    return later(() => this.#leaf);
  }

  async readTrusted(): Promise<Versioned<readonly (readonly string[])[]>> {
    return later(() => this.#trusted);
  }

  async writeAuthority(value: Authority, resourceVersion: string): Promise<Written> {
    return later(() => this.#write(this.#authority, resourceVersion, (next) => (this.#authority = { value, ...next })));
  }

  async writeLeaf(value: KeyPair, resourceVersion: string): Promise<Written> {
    return later(() => this.#write(this.#leaf, resourceVersion, (next) => (this.#leaf = { value, ...next })));
  }

  async writeTrusted(bundle: readonly string[], resourceVersion: string): Promise<Written> {
    return later(() =>
      this.#write(this.#trusted, resourceVersion, (next) => (this.#trusted = { value: [bundle], ...next })),
    );
  }

  #write(
    current: Versioned<unknown>,
    resourceVersion: string,
    write: (next: { readonly resourceVersion: string }) => void,
  ): Written {
    if (current.resourceVersion !== resourceVersion) {
      this.conflicts++;
      return "conflict";
    }
    write({ resourceVersion: String(++this.#version) });
    return "written";
  }
}

/** An answer takes its time, so that replicas get in each other's way. */
async function later<T>(work: () => T): Promise<T> {
  await new Promise(setImmediate);
  return work();
}
