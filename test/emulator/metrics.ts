type Labels = Readonly<Record<string, string>>;

/** Counters and histograms in Prometheus' text form, under Fabric's names. */
export class Metrics {
  readonly #counters = new Map<string, Map<string, number>>();
  readonly #histograms = new Map<string, Map<string, number[]>>();

  count(name: string, labels: Labels = {}): void {
    const series = this.#counters.get(name) ?? new Map<string, number>();
    this.#counters.set(name, series.set(text(labels), (series.get(text(labels)) ?? 0) + 1));
  }

  observe(name: string, seconds: number, labels: Labels = {}): void {
    const series = this.#histograms.get(name) ?? new Map<string, number[]>();
    this.#histograms.set(name, series.set(text(labels), [...(series.get(text(labels)) ?? []), seconds]));
  }

  /** What /metrics answers. */
  render(): string {
    const lines: string[] = [];
    for (const [name, series] of this.#counters) {
      lines.push(`# TYPE ${name} counter`);
      series.forEach((value, labels) => lines.push(`${name}${braces(labels)} ${value}`));
    }
    for (const [name, series] of this.#histograms) {
      lines.push(`# TYPE ${name} histogram`);
      series.forEach((values, labels) => lines.push(...histogramLines(name, labels, values)));
    }
    return `${lines.join("\n")}\n`;
  }
}

const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

function histogramLines(name: string, labels: string, values: readonly number[]): readonly string[] {
  const bucket = (bound: string, count: number): string =>
    `${name}_bucket${braces([labels, `le="${bound}"`].filter((part) => part !== "").join(","))} ${count}`;
  return [
    ...bounds.map((bound) => bucket(String(bound), values.filter((value) => value <= bound).length)),
    bucket("+Inf", values.length),
    `${name}_sum${braces(labels)} ${values.reduce((sum, value) => sum + value, 0)}`,
    `${name}_count${braces(labels)} ${values.length}`,
  ];
}

function text(labels: Labels): string {
  return Object.entries(labels)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join(",");
}

function braces(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}
