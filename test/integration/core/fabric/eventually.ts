import { setTimeout as sleep } from "node:timers/promises";

/** What becomes true a moment later: an elected leader, gossip between organizations. */
export async function eventually<Result>(act: () => Promise<Result>, milliseconds = 30_000): Promise<Result> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(200);
    }
  }
}
