import { setTimeout as sleep } from "node:timers/promises";
import { test } from "vitest";
import { unheard } from "./integration/emulator/network/answers.ts";

type Work = () => Promise<void> | void;

interface Options {
  /** Milliseconds. */
  readonly timeout?: number;
  readonly skip?: boolean;
}

/** Told like vitest's own `test`. */
export interface Story {
  (title: string, work: Work): void;
  (title: string, options: Options, work: Work): void;
}

interface Case {
  readonly title: string;
  readonly work: Work;
  /** Milliseconds. */
  readonly timeout: number;
  begun: boolean;
  failure?: unknown;
}

/** Of one case, unless it says otherwise; in milliseconds. */
const usualTimeout = 120_000;
/** Of all those before one that is run alone, unless told; in milliseconds. */
const forThoseBefore = 300_000;

interface StoryOptions {
  /** Makes a test of a case; vitest's own unless told. */
  readonly register?: Register;
  /** Milliseconds for all those before one that is run alone. */
  readonly before?: number;
}

type Register = (title: string, options: Required<Options>, run: () => Promise<void>) => void;

const asTest: Register = (title, { skip, timeout }, run) => {
  // oxlint-disable-next-line vitest/expect-expect, vitest/valid-title -- both are the case's
  test.skipIf(skip)(title, { timeout }, run);
};

/**
 * Cases that go on from one another. Each can be run alone: those before it are gone through first, unless they have been, and
 * what nodes answer to that is not noted. A case is tried also when one before it failed; if it fails, too, the first failure
 * before it is told as its cause.
 */
export function newStory({ register = asTest, before: forBefore = forThoseBefore }: StoryOptions = {}): Story {
  const told: Case[] = [];
  return (title: string, first: Work | Options, second?: Work) => {
    const work = second ?? (first as Work);
    const { timeout = usualTimeout, skip = false } = second === undefined ? {} : (first as Options);
    const before = [...told];
    const own: Case = { title, work, timeout, begun: false };
    if (!skip) told.push(own);
    register(title, { skip, timeout: timeout + forBefore }, async () => {
      for (const one of before) {
        if (one.begun) continue;
        await unheard(() => tell(one)).catch((error: unknown) =>
          console.warn(`before it failed "${one.title}":`, error),
        );
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
  const over = new AbortController();
  const tooLate = sleep(one.timeout, undefined, { signal: over.signal }).then(() => {
    throw new Error(`"${one.title}" timed out in ${one.timeout} ms`);
  });
  try {
    await Promise.race([one.work(), tooLate]);
  } catch (error) {
    one.failure = error;
    throw error;
  } finally {
    tooLate.catch(() => {}); // that it is no longer waited for
    over.abort();
  }
}
