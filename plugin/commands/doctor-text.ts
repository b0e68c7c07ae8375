import type { DoctorReport } from "../../core/doctor/examine.ts";
import { levels, type Finding, type Level } from "../../core/doctor/finding.ts";
import type { Paint } from "../terminal/colour.ts";
import { typed, type GivenCluster } from "../terminal/remedy.ts";
import { visible } from "../terminal/visible.ts";
import { wrap } from "../terminal/wrap.ts";

const colours = { ok: "green", warning: "yellow", problem: "red", unknown: "cyan" } as const;

/** A line for each finding, or more where there is a width, what to type below it, and a count. */
export function doctorText(
  { findings, context }: DoctorReport,
  paint: Paint,
  width?: number,
  given: GivenCluster = {},
): string {
  const aboutWidth = Math.max(...findings.map(({ about }) => visible(about).length));
  const lines = findings.flatMap((finding) => linesOf(finding, { aboutWidth, width, given }, paint));
  const counts = levels.map((level) => `${findings.filter((finding) => finding.level === level).length} ${level}`);
  return [...lines, "", `context ${visible(context)}: ${counts.join(", ")}`].map((line) => `${line}\n`).join("");
}

const levelWidth = Math.max(...levels.map((level: Level) => level.length));

/** A text has at least so much room. */
const narrowest = 20; // columns

interface Layout {
  readonly aboutWidth: number;
  readonly width: number | undefined;
  readonly given: GivenCluster;
}

function linesOf(
  { level, about, text, hint }: Finding,
  { aboutWidth, width = Infinity, given }: Layout,
  paint: Paint,
): readonly string[] {
  const indent = " ".repeat(levelWidth + aboutWidth + 4);
  const [first = "", ...more] = wrap(visible(text), Math.max(narrowest, width - indent.length));
  return [
    `${paint(colours[level], level.padEnd(levelWidth))}  ${visible(about).padEnd(aboutWidth)}  ${first}`,
    ...more.map((line) => indent + line),
    // Not broken: it is there to be copied.
    ...(hint === undefined ? [] : [`${indent}hint: ${visible(typed(hint, given))}`]),
  ];
}
