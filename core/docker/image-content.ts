/** An image without its names. */
export interface ImageContent {
  /** "sha256:..." of `config`. */
  readonly id: string;
  /** JSON (moby image/spec/v1.2). */
  readonly config: Buffer;
  /** Diff IDs: digests of the layers' tars, the lowest first. */
  readonly layers: readonly string[];
}
