/**
 * Asks once for all who ask at the same time, and again only when the answer has become too old: `goodFor` says how many milliseconds
 * it may be used from when it came. What failed is asked again.
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
