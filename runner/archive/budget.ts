import { ApiError } from "../api-error.ts";

/** Limits of one archive. */
export interface ArchiveLimits {
  /** Uncompressed, in bytes. */
  readonly bytes: number;
  readonly entries: number;
}

/** Counts an archive's entries and bytes, so that a small file cannot become a huge one. */
export interface Budget {
  entry(): void;
  bytes(count: number): void;
}

/** The functions throw ApiError 400 as soon as there is more than the limits allow. */
export function newBudget(limits: ArchiveLimits): Budget {
  let entries = 0;
  let bytes = 0;
  return {
    entry() {
      entries += 1;
      if (entries > limits.entries) throw tooMuch(`${limits.entries} entries`);
    },
    bytes(count) {
      bytes += count;
      if (bytes > limits.bytes) throw tooMuch(`${limits.bytes} bytes`);
    },
  };
}

function tooMuch(most: string): ApiError {
  return new ApiError(
    400,
    `archive refused: expected at most ${most}, found more (no space left within the limits of the runner)`,
  );
}
