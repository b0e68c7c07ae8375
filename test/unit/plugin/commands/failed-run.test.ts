// A command whose run fails: with -o json or yaml what was done is on standard output all the same, and the failure is as it is without.
import { Readable, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { FabricError } from "../../../../core/error.ts";
import type { Step } from "../../../../core/engine/step.ts";
import { lastLook, runPlans, type Plan, type PlansReport } from "../../../../plugin/commands/plan-run.ts";
import { exitCodeOf } from "../../../../plugin/terminal/failure.ts";
import { clusterWithWebhook, init, small } from "../../core/network/network-cluster.ts";
import { scriptedCluster, type ScriptedCluster } from "../../core/scripted-cluster/scripted-cluster.ts";
import { commandSession, type CommandSession } from "./command-session.ts";
import { typedAs } from "../../../typed-as.ts";

let cluster: ScriptedCluster;
let session: CommandSession;
const opened = async (opening: Promise<ScriptedCluster>) => {
  cluster = await opening;
  session = await commandSession(cluster);
};
const closed = async () => {
  await session.close();
  await cluster.close();
};

const tally = ({ steps }: PlansReport) => Object.groupBy(steps, ({ result }) => result);
const idsOf = ({ steps }: PlansReport) => steps.map(({ id }) => id);

describe("init into a namespace of somebody else", () => {
  beforeEach(async () => {
    await opened(clusterWithWebhook());
    const labels = { "app.kubernetes.io/managed-by": "Helm" };
    cluster.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "org1", labels } });
  });
  afterEach(closed);
  const line = ["init", "--peer-orgs", "org1", "--orderers", "1"];
  const conflict = {
    code: "conflict",
    message: "expected Namespace org1 not to exist or to be ours, found one managed by Helm",
    hint: typedAs(expect.stringMatching(/^choose other organizations/)),
  };

  test.each([
    ["json", (text: string): unknown => JSON.parse(text)],
    ["yaml", (text: string): unknown => parse(text)],
  ] as const)("in %s: all its steps, what failed and why, what was left, and the network", async (format, read) => {
    const { stdout, error } = await session.run(...line, "-o", format);
    expect(error).toMatchObject(conflict);
    expect(exitCodeOf(error)).toBe(1);
    const report = read(stdout) as PlansReport & { readonly network: object };
    expect(report).toMatchObject({ network: { kind: "FabricNetwork" }, failure: conflict });
    const { changed = [], failed, skipped = [], unchanged = [] } = tally(report);
    expect(failed).toEqual([expect.objectContaining({ id: "org1/namespace", result: "failed", error: conflict })]);
    expect(skipped.length).toBeGreaterThan(3);
    expect([...new Set(skipped.map(({ because }) => because))]).toEqual(["org1: namespace org1 failed"]);
    expect([report.changed, report.unchanged]).toEqual([changed.length, unchanged.length]);
    expect(changed.map(({ id }) => id)).toContain("orderer/namespace");
    const dry = await session.run(...line, "-o", "json", "--dry-run");
    expect(idsOf(report)).toEqual(idsOf(JSON.parse(dry.stdout) as PlansReport));
  });

  test.each(["table", "name"])("in %s: nothing, as before", async (format) => {
    const { stdout, error } = await session.run(...line, "-o", format);
    expect([stdout, error]).toEqual(["", expect.objectContaining({ code: "conflict" })]);
  });

  test("a dry run in yaml prints no definition that somebody could take for tried", async () => {
    const { stdout, error } = await session.run(...line, "-o", "yaml", "--dry-run");
    expect(error).toMatchObject(conflict);
    expect(parse(stdout)).toMatchObject({ failure: conflict });
  });
});

describe("without the webhook", () => {
  beforeEach(() => opened(scriptedCluster()));
  afterEach(closed);

  test("init is not ready, and its hint is for the same cluster, in the report too", async () => {
    const { stdout, error } = await session.run("init", "-o", "json", "--context", "c");
    expect(exitCodeOf(error)).toBe(3);
    const report = JSON.parse(stdout) as PlansReport;
    expect(report.failure).toMatchObject({ code: "not-ready", hint: "kubectl fabric --context c webhook install" });
    expect(tally(report).required).toMatchObject([
      { id: "webhook", of: "a cluster administrator", error: report.failure },
    ]);
  });

  test("up that cannot install it begins no later plan", async () => {
    cluster.interfere(({ kind, verb }) => (kind === "Namespace" && verb !== "get" ? "forbidden" : undefined));
    const { stdout, error } = await session.run("up", "--chaincode", "test/chaincode/counter", "-o", "json");
    expect(error).toMatchObject({ code: "forbidden" });
    const report = JSON.parse(stdout) as PlansReport;
    expect(report).toMatchObject({ chaincode: "counter", channel: "mychannel", failure: { code: "forbidden" } });
    expect(idsOf(report).every((id) => id.startsWith("webhook/"))).toBe(true);
  });
});

test("down says which of its namespaces it could not delete", async () => {
  await opened(clusterWithWebhook());
  await init(cluster, small, { now: new Date() });
  cluster.interfere(({ verb, name }) => (verb === "delete" && name === "org1" ? "forbidden" : undefined));
  const { stdout, error } = await session.run("down", "--yes", "-o", "json");
  await closed();
  expect(error).toMatchObject({ code: "forbidden" });
  const report = JSON.parse(stdout) as PlansReport;
  expect(report).toMatchObject({ namespaces: ["orderer", "org1"], changed: 1, failure: { code: "forbidden" } });
  expect(tally(report).failed).toMatchObject([{ id: "org1/gone", error: { code: "forbidden" } }]);
});

describe("plans", () => {
  const step = (id: string, act: Step["act"] = () => Promise.resolve()): Step => ({
    id,
    title: `step ${id}`,
    after: [],
    observe: () => Promise.resolve({ is: "differs" }),
    act,
  });
  const plan = (title: string, steps: Plan["steps"]): Plan => ({ title, steps });

  async function run(plans: readonly Plan[], interrupt = new AbortController()) {
    let stdout = "";
    const terminal = {
      stdout: new Writable({ write: (chunk: Buffer, _, done) => (done(), void (stdout += chunk.toString())) }),
      stderr: new Writable({ write: (_, __, done) => done() }),
      stdin: Readable.from([]),
      env: {},
      signal: interrupt.signal,
    };
    const options = { output: "json", verbose: false, dryRun: false, timeout: 60 } as const;
    const error: unknown = await runPlans(terminal, options, plans, (report) => ({ about: "x", ...report })).catch(
      (thrown: unknown) => thrown,
    );
    return { error, result: JSON.parse(stdout) as unknown };
  }

  test("of which one cannot be made: those before are told", async () => {
    const unknown = new FabricError("not-found", "expected channel mychannel", { hint: "join it" });
    const later = plan("later", () => Promise.reject(new Error("was begun")));
    const { error, result } = await run([
      plan("a", () => [step("a")]),
      plan("b", () => Promise.reject(unknown)),
      later,
    ]);
    expect(error).toBe(unknown);
    expect(result).toEqual({
      about: "x",
      changed: 1,
      unchanged: 0,
      wouldChange: 0,
      failure: { code: "not-found", message: "expected channel mychannel", hint: "join it" },
      steps: [{ id: "a", title: "step a", result: "changed" }],
    });
  });

  test("of which the first cannot be made: no step, and why", async () => {
    const wrong = new FabricError("usage", "expected a folder");
    const { error, result } = await run([plan("a", () => Promise.reject(wrong))]);
    expect([exitCodeOf(error), result]).toEqual([
      2,
      expect.objectContaining({ failure: { code: "usage", message: "expected a folder" }, steps: [] }),
    ]);
  });

  test("that are interrupted: what was done, and what was not", async () => {
    const interrupt = new AbortController();
    const stop = () => {
      interrupt.abort(new FabricError("interrupted", "stopped by SIGINT"));
      return Promise.reject(new Error("cut off"));
    };
    const a = step("a");
    const { error, result } = await run([plan("a", () => [a, { ...step("b", stop), after: [a] }])], interrupt);
    expect(exitCodeOf(error)).toBe(130);
    expect(result).toMatchObject({
      failure: { code: "interrupted", message: "stopped by SIGINT with 1 of 2 steps left, at: step b" },
      steps: [{ result: "changed" }, { id: "b", result: "skipped", because: "interrupted" }],
    });
  });

  test("with a defect: it is told as one, as on standard error", async () => {
    const { error, result } = await run([
      plan("a", () => [step("a", () => Promise.reject(new TypeError("x is no y")))]),
    ]);
    const defect = { code: "internal", message: "x is no y" };
    expect(error).toMatchObject(defect);
    expect(result).toMatchObject({ failure: defect, steps: [{ result: "failed", error: defect }] });
  });
});

describe("what is looked at once all is done", () => {
  const { signal } = new AbortController();
  const stopped = AbortSignal.abort();

  test("may fail, or be interrupted: what was done is told all the same", async () => {
    expect(await lastLook(Promise.resolve("next"), signal)).toBe("next");
    expect(await lastLook(Promise.reject(new FabricError("forbidden", "no")), signal)).toBeUndefined();
    expect(await lastLook(Promise.reject(new Error("aborted")), stopped)).toBeUndefined();
  });

  test("a defect is one", async () => {
    await expect(lastLook(Promise.reject(new Error("a defect")), signal)).rejects.toThrow("a defect");
  });
});
