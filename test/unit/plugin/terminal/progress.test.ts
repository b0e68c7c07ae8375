import { Readable, Writable } from "node:stream";
import { expect, test } from "vitest";
import { noticeOn } from "../../../../plugin/terminal/notice.ts";
import { newProgress } from "../../../../plugin/terminal/progress.ts";
import type { Outcome } from "../../../../core/engine/report.ts";
import type { Step } from "../../../../core/engine/step.ts";

function shown(options: { readonly verbose?: boolean } = {}) {
  let written = "";
  const stderr = new Writable({ write: (chunk: Buffer, _, done) => (done(), void (written += chunk.toString())) });
  const { signal } = new AbortController();
  const progress = newProgress({ stdout: stderr, stderr, stdin: Readable.from([]), env: {}, signal }, options);
  const stepOf = (title: string): Step => ({
    id: title,
    title,
    after: [],
    observe: () => Promise.reject(new Error()),
  });
  const ended = (title: string, outcome: Outcome) => {
    const step = stepOf(title);
    progress.onEvent({ type: "started", step });
    progress.onEvent({ type: "ended", step, outcome, milliseconds: 1 });
  };
  const headingOf = (title: string): Step => ({ ...stepOf(title), expand: () => Promise.resolve([]) });
  const heading = (title: string) => {
    const step = headingOf(title);
    progress.onEvent({ type: "started", step });
    progress.onEvent({ type: "ended", step, outcome: { result: "unchanged" }, milliseconds: 1 });
  };
  const behind = (title: string) =>
    progress.onEvent({ type: "ended", step: headingOf(title), outcome: { result: "would-change" }, milliseconds: 1 });
  const notice = noticeOn({ stderr });
  return { progress, heading, behind, ended, notice, lines: () => written.split("\n").slice(0, -1) };
}

test("a heading stands once above the first line below it", () => {
  const { progress, heading, ended, lines } = shown();
  heading("network");
  ended("a", { result: "changed" });
  ended("b", { result: "changed" });
  progress.close();
  expect(lines()).toEqual(["network", "  ✓ a (1 ms)", "  ✓ b (1 ms)"]);
});

test("a heading without anything below it is not written", () => {
  const { progress, heading, ended, lines } = shown();
  heading("nothing in it");
  heading("nothing that is shown");
  ended("a", { result: "unchanged" });
  heading("something");
  ended("b", { result: "changed" });
  heading("nothing in it either");
  progress.close();
  expect(lines()).toEqual(["something", "  ✓ b (1 ms)"]);
});

test("a notice in between is a line of its own, below its heading, and afterwards as ever", () => {
  const { progress, heading, ended, notice, lines } = shown();
  heading("network");
  notice("the API server is away");
  ended("a", { result: "changed" });
  progress.close();
  notice("it is\u001b[2J back");
  expect(lines()).toEqual(["network", "note: the API server is away", "  ✓ a (1 ms)", "note: it is^[[2J back"]);
});

test("what comes behind what would change is named, though it cannot be looked at", () => {
  const { progress, heading, behind, ended, lines } = shown({ verbose: true });
  heading("first");
  ended("a", { result: "would-change" });
  behind("second");
  behind("third");
  progress.close();
  expect(lines()).toEqual(["first", "  + a", "second", "third"]);
});

test("a reason is told in full once, and then by whom it was told", () => {
  const { heading, ended, lines } = shown();
  heading("network");
  ended("peer0.org1 is ready", { result: "failed", error: new Error("Pod peer0-0: container peer has no image") });
  ended("peer0.org2 is ready", { result: "failed", error: new Error("Pod peer0-0: container peer has no image") });
  ended("peer1.org2 is ready", { result: "failed", error: new Error("Pod peer1-0: container peer has no image") });
  ended("orderer0 is ready", { result: "failed", error: new Error("no Pod yet") });
  const late = (org: string) =>
    new Error(`Deployment ${org}/cc was not ready: Pod cc-${org}: container cc ended\n  | at x`);
  ended("org1 answers", { result: "failed", error: late("org1") });
  ended("org2 answers", { result: "failed", error: late("org2") });
  expect(lines()).toEqual([
    "network",
    "  ✗ peer0.org1 is ready: Pod peer0-0: container peer has no image (1 ms)",
    '  ✗ peer0.org2 is ready: as told of "peer0.org1 is ready" (1 ms)',
    '  ✗ peer1.org2 is ready: as told of "peer0.org1 is ready" (1 ms)',
    "  ✗ orderer0 is ready: no Pod yet (1 ms)",
    "  ✗ org1 answers: Deployment org1/cc was not ready: Pod cc-org1: container cc ended (1 ms)",
    '  ✗ org2 answers: as told of "org1 answers" (1 ms)',
  ]);
});

test("a lost connection is a line, too, also while the steps below a heading are looked for", () => {
  const { progress, lines } = shown();
  const step: Step = {
    id: "network",
    title: "network",
    after: [],
    observe: async () => ({ is: "so" }),
    expand: () => Promise.resolve([]),
  };
  progress.onEvent({ type: "started", step });
  progress.onEvent({ type: "again", step, because: "cut" });
  expect(lines()).toEqual(["network", "  ↻ network: cut; tries again"]);
});
