import { onceEach } from "../../engine/once.ts";

/**
 * Calls `ask` once for callers at the same time, and again only when the answer is too old: `goodFor` gives the milliseconds for which
 * an answer may be used. A failure is not kept.
 */
export function remembered<Argument, Answer>(
  ask: (argument: Argument) => Promise<Answer>,
  goodFor: (answer: Answer) => number,
  now?: () => number,
): (argument: Argument) => Promise<Answer> {
  const once = onceEach<Answer>({ keptFor: goodFor, now });
  return (argument) => once("", () => ask(argument));
}
