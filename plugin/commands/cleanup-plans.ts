import type { Cleanup, Leftovers } from "../orphans/cleanup.ts";
import { pauseUntil, settledAt, whenQuiet } from "../orphans/settling.ts";
import type { Plan } from "./plan-run.ts";

/**
 * Removes at once, unless peers started lately: then when they are through with their packages, as a rule, and once more what they
 * built again. `looked` gets what is removed first.
 */
export function cleanupPlans(opened: Cleanup, looked: (found: Leftovers) => void): readonly Plan[] {
  const { settling } = opened;
  if (settling.length === 0) return [{ title: "cleanup", steps: () => opened.steps }];
  const peers = settling.map(({ peer }) => peer).join(", ");
  const time = settledAt(settling);
  const later = time > new Date() ? `, at ${time.toISOString().slice(11, 19)}Z` : "";
  return [
    {
      title: `cleanup${later}: ${peers} started lately and may build again what is removed`,
      async steps(signal) {
        await pauseUntil(time, signal);
        const found = await opened.again(signal);
        looked(found);
        return found.steps;
      },
    },
    {
      title: `cleanup of what ${peers} built again, when nothing more comes`,
      steps: async (signal) => (await whenQuiet(() => opened.again(signal), signal)).steps,
    },
  ];
}
