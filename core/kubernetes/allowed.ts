import { FabricError } from "../error.ts";

/** An answer of the API server; `otherwise` where the user has no right to it. */
export async function ifAllowed<T, O = undefined>(answer: Promise<T>, otherwise?: O): Promise<T | O> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof FabricError && error.code === "forbidden") return otherwise as O;
    throw error;
  }
}
