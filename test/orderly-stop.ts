import type { Reporter, Vitest } from "vitest/node";

/**
 * At the first signal the tests that run are waited for, and what they have begun is ended; by itself vitest exits, and leaves daemons,
 * nodes and mounts. At a second one, and before the first test, it exits as it would.
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
        process.stderr.write("stopping: tests that run are waited for; a second signal ends at once\n");
        void vitest.cancelCurrentRun("keyboard-input");
      });
    }
  }

  onTestRunStart(): void {
    this.#running = true;
  }
}
