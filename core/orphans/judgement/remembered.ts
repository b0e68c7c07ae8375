/**
 * Calls `ask` once for callers at the same time, and again only when the answer is too old: `goodFor` gives the milliseconds for which
 * an answer may be used. A failure is not kept.
 */
export function remembered<Argument, Answer>(
  ask: (argument: Argument) => Promise<Answer>,
  goodFor: (answer: Answer) => number,
  now: () => number = () => performance.now(),
): (argument: Argument) => Promise<Answer> {
  let last: { readonly answer: Promise<Answer>; until: number } | undefined;
  return (argument) => {
    if (last && now() < last.until) return last.answer;
    const mine = { answer: ask(argument), until: Infinity };
    last = mine;
    mine.answer.then(
      (answer) => (mine.until = now() + goodFor(answer)),
      () => (mine.until = 0),
    );
    return mine.answer;
  };
}
