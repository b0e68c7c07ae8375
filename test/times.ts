import type { Reporter, TestModule } from "vitest/node";

/** Prints how long each file of tests took, the slowest first: the time of the suite is a budget (CONTRIBUTING.md). */
export class Times implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const slow = modules.map(timeOf).filter(({ seconds }) => seconds >= 1);
    const rows = slow.toSorted((one, other) => other.seconds - one.seconds);
    for (const { name, seconds } of rows) process.stdout.write(`${seconds.toFixed(0).padStart(5)} s  ${name}\n`);
  }
}

function timeOf(module: TestModule): { readonly name: string; readonly seconds: number } {
  const { duration, collectDuration, prepareDuration, environmentSetupDuration } = module.diagnostic();
  const seconds = (duration + collectDuration + prepareDuration + environmentSetupDuration) / 1000;
  return { name: module.relativeModuleId, seconds };
}
