import { Readable, Writable } from "node:stream";
import { expect, test } from "vitest";
import { noticeOn } from "../../../../plugin/terminal/notice.ts";
import { newProgress } from "../../../../plugin/terminal/progress.ts";
import type { Outcome } from "../../../../core/engine/run.ts";

function shown(options: { readonly verbose?: boolean } = {}) {
  let written = "";
  const stderr = new Writable({ write: (chunk: Buffer, _, done) => (done(), void (written += chunk.toString())) });
  const { signal } = new AbortController();
  const progress = newProgress({ stdout: stderr, stderr, stdin: Readable.from([]), env: {}, signal }, options);
  const ended = (title: string, outcome: Outcome) => {
    const step = {
      id: title,
      title,
      after: [],
      observe: () => Promise.reject(new Error()),
      act: () => Promise.resolve(),
    };
    progress.onEvent({ type: "started", step });
    progress.onEvent({ type: "ended", step, outcome, milliseconds: 1 });
  };
  const notice = noticeOn({ stderr });
  return { progress, ended, notice, lines: () => written.split("\n").slice(0, -1) };
}

test("a heading stands once above the first line below it", () => {
  const { progress, ended, lines } = shown();
  progress.heading("network");
  ended("a", { result: "changed" });
  ended("b", { result: "changed" });
  progress.close();
  expect(lines()).toEqual(["network", "  ✓ a (1 ms)", "  ✓ b (1 ms)"]);
});

test("a heading without anything below it is not written", () => {
  const { progress, ended, lines } = shown();
  progress.heading("nothing in it");
  progress.heading("nothing that is shown");
  ended("a", { result: "unchanged" });
  progress.heading("something");
  ended("b", { result: "changed" });
  progress.heading("nothing in it either");
  progress.close();
  expect(lines()).toEqual(["something", "  ✓ b (1 ms)"]);
});

test("a notice in between is a line of its own, below its heading, and afterwards as ever", () => {
  const { progress, ended, notice, lines } = shown();
  progress.heading("network");
  notice("the API server is away");
  ended("a", { result: "changed" });
  progress.close();
  notice("it is\u001b[2J back");
  expect(lines()).toEqual(["network", "note: the API server is away", "  ✓ a (1 ms)", "note: it is^[[2J back"]);
});

test("what comes behind what would change is named, though it cannot be looked at", () => {
  const { progress, ended, lines } = shown({ verbose: true });
  progress.heading("first");
  ended("a", { result: "would-change" });
  progress.behind("second");
  progress.behind("third");
  progress.close();
  expect(lines()).toEqual(["first", "  + a", "second", "third"]);
});

test("a reason is told in full once, and then by whom it was told", () => {
  const { progress, ended, lines } = shown();
  progress.heading("network");
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

test("a lost connection is a line, too", () => {
  const { progress, lines } = shown();
  progress.heading("network");
  progress.lost("cut");
  expect(lines()).toEqual(["network", "  ↻ looking: cut; tries again"]);
});
