import { FabricError } from "../error.ts";

/**
 * An answer that the caller can do without. Undefined when the request fails: the other side does not answer, or refuses this user. Throws
 * when the signal is aborted.
 */
export async function ifAnswered<T>(answer: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (signal.aborted || !(error instanceof FabricError)) throw error;
    return undefined;
  }
}
