import type { Step } from "./step.ts";

/** Steps that belong together and are told below one heading. */
export interface Section {
  /** The heading. */
  readonly title: string;
  /** A prefix for the ids of its steps, so that several sections with the same steps fit into one graph; none unless given. */
  readonly scope?: string | undefined;
  /** In a dry run the section is looked at even when an earlier one would change something: the look needs nothing of that. */
  readonly looksAhead?: true | undefined;
  /** Asked for when all that comes before is so. Reads only. */
  readonly steps: (signal: AbortSignal) => readonly Step[] | Promise<readonly Step[]>;
}

/** Sections as one graph, each after the one before. */
export function inTurn(sections: readonly Section[]): readonly Step[] {
  const all: Step[] = [];
  for (const { title, scope, looksAhead, steps } of sections) {
    all.push({
      id: `section/${scope ?? title}`,
      title,
      after: all.slice(-1),
      isCheck: true,
      looksAhead,
      observe: async () => ({ is: "so" }),
      async expand({ signal }) {
        const found = await steps(signal);
        return scope === undefined ? found : scoped(scope, found);
      },
    });
  }
  return all;
}

/** The same steps with ids that begin with a scope. */
export function scoped(scope: string, steps: readonly Step[], made: Map<Step, Step> = new Map()): readonly Step[] {
  const known = new Set(steps);
  const within = (step: Step): Step => {
    const before = made.get(step);
    if (before || !known.has(step)) return before ?? step;
    const { expand } = step;
    const here: Step = {
      ...step,
      id: `${scope}/${step.id}`,
      after: step.after.map(within),
      ...(expand ? { expand: async (context) => scoped(scope, await expand(context), made) } : {}),
    };
    made.set(step, here);
    return here;
  };
  return steps.map(within);
}
