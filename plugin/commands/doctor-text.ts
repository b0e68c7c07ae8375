import type { DoctorReport } from "../doctor/examine.ts";
import { LEVELS, type Finding, type Level } from "../doctor/finding.ts";
import type { Paint } from "../terminal/colour.ts";

const COLOURS = { ok: "green", warning: "yellow", problem: "red", unknown: "cyan" } as const;

/** A line for each finding, what to type below it, and a count. */
export function doctorText({ findings, context }: DoctorReport, paint: Paint): string {
  const width = Math.max(...findings.map(({ about }) => about.length));
  const lines = findings.flatMap((finding) => linesOf(finding, width, paint));
  const counts = LEVELS.map((level) => `${findings.filter((finding) => finding.level === level).length} ${level}`);
  return [...lines, "", `context ${context}: ${counts.join(", ")}`].map((line) => `${line}\n`).join("");
}

const LEVEL_WIDTH = Math.max(...LEVELS.map((level: Level) => level.length));

function linesOf({ level, about, text, hint }: Finding, width: number, paint: Paint): readonly string[] {
  const line = `${paint(COLOURS[level], level.padEnd(LEVEL_WIDTH))}  ${about.padEnd(width)}  ${text}`;
  return hint === undefined ? [line] : [line, `${" ".repeat(LEVEL_WIDTH + width + 4)}hint: ${hint}`];
}
