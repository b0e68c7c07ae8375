/** How long a request to a node may take. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the request fails with `timeout`; 30 s unless given. Infinity is for gRPC calls only: no timeout. */
  readonly timeout?: number | undefined;
}

export const defaultTimeout = 30_000;
