/*
 * A property that fails prints its seed and the path to the smallest value that it found. With these the same comes again:
 *   FC_SEED=-1819918769 FC_PATH=4:1:0 npx vitest run --project unit test/unit/core/injection/words.test.ts -t "the name of the test"
 * With the seed alone, all values come in the same order.
 */
import { wholeNumber } from "../whole-number.ts";

const seed = wholeNumber("FC_SEED");
const { FC_PATH: path } = process.env;

if (seed !== undefined) {
  const { configureGlobal } = await import("fast-check");
  configureGlobal({ seed, ...(path !== undefined && { path, endOnFailure: true }) });
} else if (path !== undefined) {
  throw new Error("expected FC_SEED with FC_PATH, found none");
}
