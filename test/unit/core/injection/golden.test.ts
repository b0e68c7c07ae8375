// Pairs of files: golden/<case>/pod.yaml in; the patch and the Pod it makes, or a sentence, out.
// UPDATE_GOLDEN=1 writes what comes out: read the difference before you commit it.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { V1Pod } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { ClusterFacts } from "../../../../core/injection/cluster.ts";
import { applyOperations, inject, injectPod, type InjectionContext } from "../../../../core/injection/inject.ts";
import type { Outcome } from "../../../../core/injection/outcome.ts";
import { parseSettings } from "../../../../core/injection/settings.ts";

const golden = join(import.meta.dirname, "golden");
const updateGoldens = process.env["UPDATE_GOLDEN"] === "1";
const outputs = ["patch.json", "injected.yaml", "warnings.txt", "denial.txt", "untouched.txt"] as const;

interface GoldenContext {
  readonly settings?: unknown;
  readonly cluster?: ClusterFacts;
}

/** A cluster of today, unless the case's context.yaml says otherwise. */
const usualCluster: ClusterFacts = {
  apiServer: { major: 1, minor: 36, patch: 3 },
  oldestKubelet: { major: 1, minor: 35, patch: 0 },
  mtu: 1450,
};

function contextOf(directory: string): InjectionContext {
  const file = join(directory, "context.yaml");
  const given = (existsSync(file) ? parse(readFileSync(file, "utf8")) : {}) as GoldenContext;
  const parsed = parseSettings(given.settings);
  if (!parsed.valid) throw new Error(JSON.stringify(parsed.problems));
  return { settings: parsed.settings, cluster: { ...usualCluster, ...given.cluster }, version: "0.0.0" };
}

/** What a case should have put out, as files. */
function filesOf(pod: V1Pod, outcome: Outcome): ReadonlyMap<string, string> {
  if (outcome.kind === "denied") {
    const { status, reason, message, problem } = outcome;
    const lines = Object.entries(problem).map(([name, value]) => `${name}: ${value}`);
    return new Map([["denial.txt", [`${status} ${reason}`, message, ...lines, ""].join("\n")]]);
  }
  if (outcome.kind === "untouched") return new Map([["untouched.txt", `${outcome.reason}\n`]]);
  const files = new Map([
    ["patch.json", `${JSON.stringify(outcome.operations, null, 2)}\n`],
    ["injected.yaml", stringify(applyOperations(pod, outcome.operations))],
  ]);
  const warnings = outcome.warnings.map(({ reason, message }) => `${reason}: ${message}\n`);
  if (warnings.length > 0) files.set("warnings.txt", warnings.join(""));
  return files;
}

function update(directory: string, files: ReadonlyMap<string, string>): void {
  for (const name of outputs) rmSync(join(directory, name), { force: true });
  for (const [name, text] of files) writeFileSync(join(directory, name), text);
}

const cases = readdirSync(golden).toSorted();

describe.each(cases)("%s", (name) => {
  const directory = join(golden, name);
  const text = readFileSync(join(directory, "pod.yaml"), "utf8");
  const context = contextOf(directory);
  const outcome = inject(parse(text) as V1Pod, context);

  test("comes out as the golden files say", () => {
    const files = filesOf(parse(text) as V1Pod, outcome);
    if (updateGoldens) update(directory, files);
    expect([...files.keys()].toSorted()).toEqual(
      outputs.filter((file) => existsSync(join(directory, file))).toSorted(),
    );
    const expected = [...files.keys()].map((file) => [file, readFileSync(join(directory, file), "utf8")]);
    expect([...files]).toEqual(expected);
  });

  test("leaves what came in alone, and changes nothing the second time", () => {
    const pod = parse(text) as V1Pod;
    const first = injectPod(pod, context);
    expect(pod).toEqual(parse(text));
    if (first.kind !== "injected" || first.pod === undefined) return;
    expect(injectPod(first.pod, context)).toEqual({ kind: "untouched", reason: "already-injected", pod: first.pod });
  });

  test("warns in lines that the API server does not cut", () => {
    const messages = outcome.kind === "injected" ? outcome.warnings.map(({ message }) => message) : [];
    expect(messages.filter((message) => message.length > 256 || message.includes("\n"))).toEqual([]);
  });
});

test("there are cases of each kind", () => {
  const missing = outputs.filter((output) => !cases.some((name) => existsSync(join(golden, name, output))));
  expect(missing).toEqual([]);
});
