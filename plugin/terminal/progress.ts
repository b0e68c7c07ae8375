import { createLogUpdate } from "log-update";
import { messageOf } from "../../core/error.ts";
import { sharedReason } from "../../core/engine/reasons.ts";
import type { Outcome, StepEvent } from "../../core/engine/report.ts";
import { painter } from "./colour.ts";
import { formatDuration } from "./duration.ts";
import type { Terminal } from "./io.ts";
import { noticesBy } from "./notice.ts";
import { visible } from "./visible.ts";

export interface Progress {
  readonly onEvent: (event: StepEvent) => void;
  /** Removes the redrawn lines, so that the shell's prompt follows. */
  readonly close: () => void;
}

const redrawEvery = 100; // milliseconds

/**
 * Shows steps as they run, on standard error: each ended step is a line that stays; on a terminal the running ones are
 * redrawn below. Steps that found nothing to do are shown only with `verbose`.
 */
export function newProgress({ stderr, env }: Terminal, { verbose = false } = {}): Progress {
  const paint = painter(stderr, env);
  const running = new Map<string, { readonly title: string; readonly started: number; text: string }>();
  /** Reason -> title of the step for which it was shown. */
  const told = new Map<string, string>();
  /** A heading that was not written yet. */
  let above: string | undefined;
  const live = stderr.isTTY ? createLogUpdate(stderr, { showCursor: true }) : undefined;

  const draw = () => {
    live?.(
      [
        ...(above === undefined ? [] : [paint("bold", above)]),
        ...[...running.values()].map(({ title, started, text }) => {
          const elapsed = formatDuration(performance.now() - started);
          return paint("dim", `  … ${visible(title)}${text && `: ${visible(text)}`} (${elapsed})`);
        }),
      ].join("\n"),
    );
  };
  const line = (text: string) => {
    live?.clear();
    if (above !== undefined) stderr.write(`${paint("bold", above)}\n`);
    above = undefined;
    stderr.write(`${text}\n`);
  };
  /** Replaces a reason that was shown before by a reference to that step: seven nodes may lack the same image, with long messages. */
  const once = (title: string, outcome: Outcome): Outcome => {
    if (outcome.result !== "failed" && outcome.result !== "required") return outcome;
    const reason = sharedReason(firstLine(outcome.error));
    const before = told.get(reason);
    if (before !== undefined) return { result: "failed", error: `as told of "${before}"` };
    told.set(reason, title);
    return outcome;
  };
  /** A heading is a line above what is shown of the steps that follow, none when nothing is; of steps that nobody can look at yet alone. */
  const headed = (event: StepEvent): boolean => {
    if (event.type === "started") above = visible(event.step.title);
    if (event.type !== "ended") return event.type !== "again";
    const { result } = event.outcome;
    if (result === "would-change") {
      above = undefined;
      line(paint("bold", visible(event.step.title)));
    }
    return result !== "failed";
  };
  const timer = live && setInterval(draw, redrawEvery);
  timer?.unref();
  const noticesElsewhere = noticesBy(stderr, line);

  return {
    onEvent(event) {
      const { step } = event;
      if (step.expand && headed(event)) return;
      if (event.type === "started") {
        running.set(step.id, { title: step.title, started: performance.now(), text: "" });
      } else if (event.type === "progress") {
        const entry = running.get(step.id);
        if (entry) entry.text = event.text;
      } else if (event.type === "again") {
        line(againLine(step.title, event.because, paint));
      } else {
        running.delete(step.id);
        const shown = verbose || (event.outcome.result !== "unchanged" && event.outcome.result !== "skipped");
        if (shown) line(endedLine(step.title, once(step.title, event.outcome), event.milliseconds, paint));
      }
    },
    close() {
      noticesElsewhere();
      clearInterval(timer);
      live?.clear();
    },
  };
}

function firstLine(error: unknown): string {
  const [first = ""] = messageOf(error).split("\n", 1);
  return first;
}

function againLine(title: string, because: string, paint: ReturnType<typeof painter>): string {
  return `  ${paint("yellow", "↻")} ${visible(`${title}: ${because}`)}; tries again`;
}

function endedLine(title: string, outcome: Outcome, milliseconds: number, paint: ReturnType<typeof painter>): string {
  const time = paint("dim", `(${formatDuration(milliseconds)})`);
  const detail = "detail" in outcome && outcome.detail ? `: ${outcome.detail}` : "";
  const told = visible(`${title}${detail}`);
  switch (outcome.result) {
    case "unchanged":
      return `  ${paint("dim", "=")} ${told} ${time}`;
    case "changed":
      return `  ${paint("green", "✓")} ${told} ${time}`;
    case "would-change":
      return `  ${paint("yellow", "+")} ${told}`;
    case "waiting":
      return `  ${paint("yellow", "…")} ${visible(`${title}: ${outcome.missing}`)}`;
    case "kept":
      return `  ${paint("yellow", "-")} ${visible(`${title}: kept${outcome.detail ? `: ${outcome.detail}` : ""}`)}`;
    case "failed":
    case "required":
      // What a build or a container said is told with the command's own failure.
      return `  ${paint("red", "✗")} ${visible(`${title}: ${firstLine(outcome.error)}`)} ${time}`;
    case "skipped":
      return `  ${paint("dim", "-")} ${visible(`${title}: ${outcome.because}`)}`;
  }
}
