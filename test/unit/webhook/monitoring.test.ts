// Dashboards and alerts rot in silence: a metric that is renamed leaves an empty panel and an alert that never fires.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { newMetrics } from "../../../webhook/metrics.ts";

const overlay = join(import.meta.dirname, "../../../manifests/overlays/monitoring");

interface Dashboard {
  readonly panels: readonly { readonly id: number; readonly targets: readonly { readonly expr: string }[] }[];
}
interface Rules {
  readonly spec: { readonly groups: readonly { readonly rules: readonly { alert: string; expr: string }[] }[] };
}

const read = (file: string): string => readFileSync(join(overlay, file), "utf8");
const dashboard = JSON.parse(read("dashboard.json")) as Dashboard;
const alerts = (parse(read("prometheus-rule.yaml")) as Rules).spec.groups.flatMap(({ rules }) => rules);
const expressions = [
  ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ...alerts.map(({ expr }) => expr),
];

/** What a running webhook exposes, each sample with its labels. */
async function exposed(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const metrics = newMetrics("1.2.3");
  metrics.admitted("denied", "pod-security", 0.001);
  metrics.certificatesEnd(new Date(), new Date());
  metrics.settingsValid(true);
  metrics.ready(true);
  const found = new Map<string, Set<string>>();
  for (const [, name = "", labels = ""] of (await metrics.text()).matchAll(/^([a-z_]\w*)(?:\{([^}]*)\})? /gm)) {
    const known = found.get(name) ?? new Set();
    for (const [, label = ""] of labels.matchAll(/(\w+)="/g)) known.add(label);
    found.set(name, known);
  }
  return found;
}

const metric = /\b(?:kubectl_fabric|process|nodejs)_\w+/g;

test("there are expressions to look at", () => {
  expect(expressions.length).toBeGreaterThan(15);
});

test.each(expressions)("it reads metrics that are there: %s", async (expression) => {
  const names = await exposed();
  const used = expression.match(metric) ?? [];
  expect(used).not.toEqual([]);
  expect(used.filter((name) => !names.has(name))).toEqual([]);
});

test.each(expressions)("its labels are there; Prometheus adds `pod`: %s", async (expression) => {
  const names = await exposed();
  const known = new Set((expression.match(metric) ?? []).flatMap((name) => [...(names.get(name) ?? [])]));
  const matched = [...expression.matchAll(/(\w+)\s*(?:=~|!=|!~|=)\s*"/g)].map(([, label = ""]) => label);
  const grouped = [...expression.matchAll(/\b(?:by|on)\s*\(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/));
  expect([...matched, ...grouped].filter((label) => label !== "pod" && !known.has(label))).toEqual([]);
});

test.each(expressions)("its brackets close: %s", (expression) => {
  for (const [open, close] of ["()", "{}", "[]"].map((pair) => pair.split("") as [string, string])) {
    expect(expression.split(open).length).toBe(expression.split(close).length);
  }
});

test("every metric of ours is on the dashboard", async () => {
  const shown = dashboard.panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => expr.match(metric) ?? []));
  const own = [...(await exposed()).keys()].filter((name) => name.startsWith("kubectl_fabric_"));
  const base = (name: string): string => name.replace(/_(?:bucket|sum|count)$/, "");
  expect(own.filter((name) => !shown.some((other) => base(other) === base(name)))).toEqual([]);
});

test("panels and alerts have names of their own", () => {
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
});
