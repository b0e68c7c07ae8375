import { test } from "vitest";
import { unheard } from "./integration/emulator/network/answers.ts";

type Work = () => Promise<void> | void;

interface Options {
  /** Milliseconds. */
  readonly timeout?: number;
  readonly skip?: boolean;
}

/** Told like vitest's own `it`. */
export interface Story {
  (title: string, work: Work): void;
  (title: string, options: Options, work: Work): void;
}

interface Case {
  readonly work: Work;
  begun: boolean;
  failure?: unknown;
}

/** Of one case, unless it says otherwise; in milliseconds. */
const usualTimeout = 120_000;
/** What a case that is run alone has more, for those before it. */
const forThoseBefore = 300_000;

/**
 * Cases that go on from one another. Each can be run alone: those before it are gone through first, unless they have been, and
 * what nodes answer to that is not noted. A case is tried also when one before it failed; if it fails, too, that is its cause.
 */
export function newStory(): Story {
  const told: Case[] = [];
  return (title: string, first: Work | Options, second?: Work) => {
    const work = second ?? (first as Work);
    const { timeout = usualTimeout, skip = false } = second === undefined ? {} : (first as Options);
    const before = [...told];
    const own: Case = { work, begun: false };
    if (!skip) told.push(own);
    // oxlint-disable-next-line vitest/expect-expect, vitest/valid-title -- both are the case's
    test.skipIf(skip)(title, { timeout: timeout + forThoseBefore }, async () => {
      for (const one of before) {
        if (!one.begun) await unheard(() => tell(one)).catch(() => {});
      }
      await tell(own).catch((error: unknown) => {
        if (error instanceof Error) error.cause ??= before.find(({ failure }) => failure !== undefined)?.failure;
        throw error;
      });
    });
  };
}

async function tell(one: Case): Promise<void> {
  one.begun = true;
  try {
    await one.work();
  } catch (error) {
    one.failure = error;
    throw error;
  }
}
