/** How long a request to a node may take. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until it fails with `timeout`; 30 s unless told, never if Infinity (of calls by gRPC). */
  readonly timeout?: number | undefined;
}

export const defaultTimeout = 30_000;
