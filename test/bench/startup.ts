// How long the plugin takes to start: node test/bench/startup.ts [--runs N]. Nothing here is asserted.
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

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

const { values } = parseArgs({ options: { runs: { type: "string", default: "15" } } });
compare(contenders, Number(values.runs));

/** Runs the contenders in turn, so that a busy moment meets all of them. */
function compare(contenders: readonly Contender[], runs: number): void {
  const times = contenders.map((): number[] => []);
  for (let run = 0; run < runs; run++) {
    contenders.forEach(({ argv }, index) => times[index]?.push(milliseconds(argv)));
  }
  const medians = times.map(median);
  console.log(`median of ${runs} runs`);
  contenders.forEach(({ name }, index) => {
    const own = medians[index] ?? Number.NaN;
    console.log(`  ${name.padEnd(32)} ${own.toFixed(0).padStart(6)} ms   ${(own / (medians[0] ?? 1)).toFixed(2)} ×`);
  });
}

function milliseconds([program = "", ...args]: readonly string[]): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${stderr}`);
  return performance.now() - started;
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
}
