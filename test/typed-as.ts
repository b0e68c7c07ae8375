import type { Remedy } from "../core/remedy.ts";
import { typed } from "../plugin/terminal/remedy.ts";

/** What Vitest's matchers know an asymmetric one by. */
interface Matcher {
  asymmetricMatch(found: unknown): boolean;
}

/** Matches a remedy, as `hint: typedAs("kubectl fabric init")` in toMatchObject, by what the command line says of it: a text, or a matcher of texts. */
export function typedAs(expected: unknown): unknown {
  const isMatcher = typeof expected === "object" && expected !== null;
  return {
    $$typeof: Symbol.for("jest.asymmetricMatcher"),
    asymmetricMatch(found: unknown) {
      if (found === undefined) return false;
      const text = typed(found as Remedy);
      return isMatcher ? (expected as Matcher).asymmetricMatch(text) : text === expected;
    },
    toString: () => "TypedAs",
    toAsymmetricMatcher: () => `typed as ${String(expected)}`,
  };
}

/** The remedy of what was thrown, as the command line says it; "" without one. */
export function typedHint(thrown: unknown): string {
  const { hint } = thrown as { readonly hint?: Remedy | undefined };
  return hint === undefined ? "" : typed(hint);
}
