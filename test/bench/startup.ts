import { runProgram, type Lifetime } from "../../build/lifetime.ts";
import type { Settings } from "./measure.ts";

interface Contender {
  readonly name: string;
  readonly argv: readonly string[];
}

/** The first is the reference. */
const contenders: readonly Contender[] = [
  { name: "empty Node program", argv: [process.execPath, "--eval", ""] },
  { name: "kubectl fabric --help", argv: [process.execPath, "dist/kubectl-fabric.js", "--help"] },
  { name: "kubectl fabric init --help", argv: [process.execPath, "dist/kubectl-fabric.js", "init", "--help"] },
];

/** How long the plugin takes to start. The contenders run in turn, so that a busy moment meets all of them. */
export async function measure(lifetime: Lifetime, { runs }: Settings): Promise<void> {
  const times = contenders.map((): number[] => []);
  for (let run = 0; run < runs; run++) {
    for (const [index, { argv }] of contenders.entries()) times[index]?.push(await milliseconds(lifetime, argv));
  }
  const medians = times.map(median);
  console.log(`median of ${runs} runs`);
  contenders.forEach(({ name }, index) => {
    const own = medians[index] ?? Number.NaN;
    console.log(`  ${name.padEnd(32)} ${own.toFixed(0).padStart(6)} ms   ${(own / (medians[0] ?? 1)).toFixed(2)} ×`);
  });
}

async function milliseconds(lifetime: Lifetime, argv: readonly string[]): Promise<number> {
  const started = performance.now();
  await runProgram(lifetime, argv, { stdio: ["ignore", "pipe", "inherit"] });
  return performance.now() - started;
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
}
