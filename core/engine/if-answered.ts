import { FabricError } from "../error.ts";

/** An answer that can be done without: undefined where it fails, as whoever was asked does not answer, or not to this user. */
export async function ifAnswered<T>(answer: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (signal.aborted || !(error instanceof FabricError)) throw error;
    return undefined;
  }
}
