import { setTimeout as sleep } from "node:timers/promises";

/**
 * Ends when the event loop has come round some times, busy as the machine may be: both ends of a connection are in this process, so that
 * each has by then had its turn at what the other sent before.
 */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await sleep(1);
}
