import type { Reporter, Vitest } from "vitest/node";

/**
 * At the first signal the tests that run are given up, no other begins, and hooks end what was begun; by itself vitest exits, and
 * leaves daemons, nodes and mounts. At a second one, and before the first test, it exits as it would.
 */
export class OrderlyStop implements Reporter {
  #running = false;

  onInit(vitest: Vitest): void {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.removeAllListeners(signal); // vitest's own
      process.on(signal, () => {
        if (!this.#running) process.exit(130);
        this.#running = false;
        process.exitCode = 130;
        process.stderr.write("stopping: hooks end what tests have begun; a second signal ends at once\n");
        void vitest.cancelCurrentRun("keyboard-input");
      });
    }
  }

  onTestRunStart(): void {
    this.#running = true;
  }
}
