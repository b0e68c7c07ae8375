import { PassThrough, Readable, Writable } from "node:stream";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EditedManifest } from "../../../../core/injection/manifest/offline.ts";
import { printEdited } from "../../../../plugin/commands/edited-manifest.ts";
import { doctorText } from "../../../../plugin/commands/doctor-text.ts";
import { shownPayload } from "../../../../plugin/commands/transaction.ts";
import { FabricError } from "../../../../core/error.ts";
import { confirm } from "../../../../plugin/terminal/confirm.ts";
import { formatFailure } from "../../../../plugin/terminal/failure.ts";
import { noticeOn } from "../../../../plugin/terminal/notice.ts";
import { printResult, type OutputFormat, type Result } from "../../../../plugin/terminal/output.ts";
import { newProgress } from "../../../../plugin/terminal/progress.ts";
import { visible } from "../../../../plugin/terminal/visible.ts";

/** Clears the screen, sets the window's title, rings, goes back to the line's begin, and the like of C1. */
const hostile = "a\u001b[2J\u001b]0;gone\u0007b\rc\u009b2Jd";
/** Any of it. */
const obeyed = /[^\P{Cc}\n\t]/u;
const harmless = "a^[[2J^[]0;gone^Gb^Mc\\u009b2Jd";

function terminal() {
  const written = { stdout: "", stderr: "" };
  const stream = (name: keyof typeof written) =>
    new Writable({ write: (chunk: Buffer, _, done) => (done(), void (written[name] += chunk.toString())) });
  const { signal } = new AbortController();
  return { written, stdout: stream("stdout"), stderr: stream("stderr"), stdin: Readable.from([]), env: {}, signal };
}

async function printed(result: Result, format: OutputFormat = "table"): Promise<string> {
  const to = terminal();
  await printResult(to, format, result);
  return to.written.stdout;
}

describe("what others wrote", () => {
  test("is shown instead of obeyed; lines, tabs and what is not of ASCII stay", () => {
    expect(visible(hostile)).toBe(harmless);
    expect(visible("line\n\tzwei: größer ✓ 日本\n")).toBe("line\n\tzwei: größer ✓ 日本\n");
    expect(visible("abc\u202edcba\u2066\u007f")).toBe("abc\\u202edcba\\u2066^?");
  });

  test("has nothing left that a terminal obeys, and says it twice the same", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const shown = visible(text);
        expect(shown).not.toMatch(obeyed);
        expect(visible(shown)).toBe(shown);
      }),
    );
  });

  test("in a table and as names", async () => {
    const result = { data: {}, table: () => `${hostile}\n`, names: () => [hostile] };
    expect(await printed(result)).toBe(`${harmless}\n`);
    expect(await printed(result, "name")).toBe(`${harmless}\n`);
  });

  test("from chaincode on a terminal, text or not; into a pipe it goes as it is", () => {
    const payload = Buffer.from(hostile);
    const bytes = Buffer.concat([Buffer.from([0xff]), payload]);
    expect(shownPayload(payload, true)).toBe(`${harmless}\n`);
    expect(shownPayload(bytes, true)).toBe(`\ufffd${harmless}\n`);
    expect(shownPayload(payload, false)).toBe(`${hostile}\n`);
    expect(shownPayload(bytes, false)).toBe(bytes);
    expect(shownPayload(new Uint8Array(), true)).toBe("");
  });

  test("in findings of doctor, whose colours stay", async () => {
    const finding = { level: "problem", about: hostile, text: hostile, hint: hostile } as const;
    const report = { context: hostile, healthy: false, findings: [finding], namespaces: [] };
    const painted = {
      data: {},
      painted: true,
      table: () => doctorText(report, (_, text) => `\u001b[31m${text}\u001b[39m`),
    };
    const shown = await printed(painted as Result);
    expect(shown.replaceAll("\u001b[31m", "").replaceAll("\u001b[39m", "")).not.toMatch(obeyed);
    expect(shown.split(harmless)).toHaveLength(5);
  });

  test("in a question", async () => {
    const to = terminal();
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const stderr = Object.assign(to.stderr, { isTTY: true });
    const asked = confirm({ ...to, stdin, stderr }, hostile, hostile);
    stdin.end("no\n");
    await expect(asked).rejects.toMatchObject({ code: "interrupted" });
    // Between the lines readline itself moves the cursor.
    for (const line of [harmless, `Type ${harmless} to go on: `]) expect(to.written.stderr).toContain(line);
    expect(to.written.stderr).not.toContain("\u001b[2J");
  });

  describe("in a manifest", () => {
    const template = { owner: hostile, result: "injected", detail: hostile, warnings: [hostile] } as const;
    const after: EditedManifest = {
      text: hostile,
      changed: true,
      objects: [],
      templates: [template],
      notices: [hostile],
    };
    const edited = async (output: OutputFormat, { diff = false, isTTY = false } = {}) => {
      const to = terminal();
      const options = { output, diff, verbose: false };
      await printEdited(
        { ...to, stdout: Object.assign(to.stdout, { isTTY }) },
        options,
        { text: "", source: "a" },
        after,
      );
      return to.written;
    };

    test("what became of it", async () => {
      const { stderr } = await edited("yaml");
      expect(stderr).toBe(
        `${harmless}: injected (${harmless})\nwarning: ${harmless}: ${harmless}\nnotice: ${harmless}\n`,
      );
    });

    test("its names, and on a terminal itself and what changed; else it goes as it is", async () => {
      expect((await edited("name")).stdout).toBe(`${visible(hostile.toLowerCase())}\n`);
      expect((await edited("table", { isTTY: true })).stdout).toBe(harmless);
      expect((await edited("table", { diff: true, isTTY: true })).stdout).toContain(`+${harmless}\n`);
      expect((await edited("table")).stdout).toBe(hostile);
      expect((await edited("table", { diff: true })).stdout).toContain(`+${hostile}\n`);
      expect((await edited("yaml", { isTTY: true })).stdout).toBe(hostile);
    });
  });

  test("in an error, its hint, a note and the progress", () => {
    const failure = new FabricError("conflict", hostile, { hint: hostile });
    expect(formatFailure(failure, undefined, false)).toBe(`error: ${harmless}\nhint: ${harmless}\n`);
    const to = terminal();
    noticeOn(to)(hostile);
    const progress = newProgress(to, { verbose: true });
    const step = {
      id: "a",
      title: hostile,
      after: [],
      observe: async () => ({ is: "so" }) as const,
      act: async () => {},
    };
    const heading = { ...step, expand: async () => [] };
    progress.onEvent({ type: "started", step: heading });
    progress.onEvent({ type: "again", step, because: hostile });
    progress.onEvent({ type: "ended", step, outcome: { result: "changed", detail: hostile }, milliseconds: 1 });
    progress.onEvent({ type: "ended", step, outcome: { result: "failed", error: failure }, milliseconds: 1 });
    progress.close();
    expect(to.written.stderr).not.toMatch(obeyed);
    expect(to.written.stderr.split(harmless)).toHaveLength(9);
  });
});
