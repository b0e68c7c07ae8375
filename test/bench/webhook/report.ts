/** Medians at one number of connections. */
export interface LoadFigures {
  readonly connections: number;
  /** Processor time a review, in microseconds. */
  readonly cpuMicros: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

export interface Figures {
  readonly name: string;
  readonly load: readonly LoadFigures[];
  /** After the start, and after a tenth, a half and all of the reviews. */
  readonly residentBytes: readonly number[];
  /** From the start of the process to its first answer. */
  readonly startMs: number;
}

export interface Circumstances {
  readonly cores: number;
  /** Of one review. */
  readonly bytes: number;
  readonly requests: number;
  readonly rounds: number;
  readonly soak: number;
  readonly starts: number;
}

/** How we stand to another: ours divided by theirs, with the target. */
interface Ratio {
  readonly what: string;
  readonly against: string;
  readonly ratio: number;
  readonly target: string;
  readonly met: boolean;
}

/** Ours is the last. */
function ratios(figures: readonly Figures[]): readonly Ratio[] {
  const [diffing, operations, ours] = figures;
  if (diffing === undefined || operations === undefined || ours === undefined) return [];
  const atMost = (what: string, { name }: Figures, ratio: number, target: number): Ratio => ({
    what,
    against: name,
    ratio,
    target: `≤ ${target}`,
    met: ratio <= target,
  });
  const atLeast = (what: string, { name }: Figures, ratio: number, target: number): Ratio => ({
    what,
    against: name,
    ratio,
    target: `≥ ${target}`,
    met: ratio >= target,
  });
  const loads = ours.load.flatMap((own, index) => {
    const at = `${own.connections} connection${own.connections === 1 ? "" : "s"}`;
    const pairs = [
      { peer: diffing, cpu: 0.25, rate: 4 },
      { peer: operations, cpu: 0.6, rate: 1.5 },
    ];
    return pairs.flatMap(({ peer, cpu, rate }) => {
      const theirs = peer.load[index];
      if (theirs === undefined) return [];
      return [
        atMost(`CPU a review, ${at}`, peer, own.cpuMicros / theirs.cpuMicros, cpu),
        atLeast(`admissions/s, ${at}`, peer, own.perSecond / theirs.perSecond, rate),
        ...(own.connections === 10 && peer === diffing ? [atMost(`p99, ${at}`, peer, own.p99 / theirs.p99, 0.5)] : []),
      ];
    });
  });
  const last = ({ residentBytes }: Figures): number => residentBytes.at(-1) ?? Number.NaN;
  const [, tenth] = ours.residentBytes;
  const itself = { ...ours, name: "itself after a tenth" };
  return [
    ...loads,
    ...[diffing, operations].flatMap((peer) => [
      atMost("memory at the end", peer, last(ours) / last(peer), 5),
      atMost("start to first answer", peer, ours.startMs / peer.startMs, 8),
    ]),
    ...(tenth === undefined ? [] : [atMost("memory at the end", itself, last(ours) / tenth, 1.1)]),
  ];
}

export function printReport(circumstances: Circumstances, figures: readonly Figures[], output: string): void {
  if (output === "json") {
    console.log(JSON.stringify({ ...circumstances, figures, ratios: ratios(figures) }, undefined, 2));
    return;
  }
  const { cores, bytes, requests, rounds, soak, starts } = circumstances;
  console.log(
    `review of ${bytes} bytes, TLS, HTTP/1.1 kept alive; ${requests} reviews a row, medians of ${rounds} rounds; ${cores} cores, one for each side`,
  );
  row("", "connections", "CPU µs", "a second", "p50 ms", "p99 ms");
  for (const { name, load } of figures) {
    for (const { connections, cpuMicros, perSecond, p50, p99 } of load) {
      row(name, String(connections), cpuMicros.toFixed(0), perSecond.toFixed(0), p50.toFixed(2), p99.toFixed(2));
    }
  }
  console.log(
    `\nmemory in MiB at the start and after ${soak / 10}, ${soak / 2} and ${soak} reviews; start in ms, median of ${starts}`,
  );
  for (const { name, residentBytes, startMs } of figures) {
    row(name, ...residentBytes.map((one) => (one / 2 ** 20).toFixed(0)), `${startMs.toFixed(0)} ms`);
  }
  console.log("\nours against");
  for (const { what, against, ratio, target, met } of ratios(figures)) {
    console.log(
      `  ${what.padEnd(30)} ${against.padEnd(22)} ${ratio.toFixed(2).padStart(6)} ×   ${target.padEnd(7)} ${met ? "met" : "missed"}`,
    );
  }
}

function row(name: string, ...cells: readonly string[]): void {
  console.log(`  ${name.padEnd(16)}${cells.map((cell) => cell.padStart(12)).join("")}`);
}
