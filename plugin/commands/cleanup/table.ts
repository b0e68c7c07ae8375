import { shortName } from "../../../core/orphans/removal-steps.ts";
import type { Finding } from "../../../core/orphans/judgement/finding.ts";
import type { Survey } from "../../../core/orphans/survey.ts";
import { typed, type GivenCluster } from "../../terminal/remedy.ts";
import { table } from "../../terminal/table.ts";
import type { Doubt } from "./plans.ts";
import { conclusion, type PlansReport } from "../plan-run.ts";

/** The plan for people: what would go and why, and what stays because nobody can prove that it may go. */
export function cleanupTable(
  { findings, uncommitted, blind }: Survey,
  verbose: boolean,
  width: number | undefined,
  given: GivenCluster = {},
): string {
  const orphans = findings.filter(({ verdict }) => verdict === "orphan");
  const kept = findings.filter(({ verdict }) => verdict === "kept");
  const needed = findings.length - orphans.length - kept.length;
  return [
    orphans.length === 0 ? "no orphans\n" : orphanTable(orphans, width),
    kept.length === 0
      ? ""
      : `\nkept, because it cannot be proved that nobody needs it:\n${keptTable(kept, verbose, width)}`,
    uncommitted.length === 0
      ? ""
      : `\ninstalled and never seen committed (peers cannot uninstall):\n${packages(uncommitted, width)}`,
    blind.length === 0 ? "" : `\nnot looked at, so all of it is kept:\n${blindTable(blind, width, given)}`,
    `\n${total(orphans)}, ${kept.length} kept, ${needed} needed\n`,
  ].join("");
}

/** The last sentences: what was done, whether it lasts, and what to type next. `remove` is typed next when nothing was removed. */
export function cleanupClosing(
  { findings }: Survey,
  report: PlansReport | undefined,
  mayComeBack: readonly Doubt[],
  remove: string,
): string {
  if (report) {
    const [doubt] = mayComeBack;
    if (!doubt) return conclusion(report, undefined);
    const lines = mayComeBack.map(({ peer, because }) => `${peer} may build again what was removed: ${because}\n`);
    return `${conclusion(report, undefined)}a second run may be needed:\n${lines.join("")}next: ${doubt.hint}\n`;
  }
  if (!findings.some(({ verdict }) => verdict === "orphan")) return "";
  return `nothing was changed\nnext: ${remove}\n`;
}

function orphanTable(orphans: readonly Finding[], width: number | undefined): string {
  const rows = orphans.map(({ source, place, kind, name, bytes, since, because }) => [
    source,
    place,
    `${kind} ${shortName(name)}`,
    bytes === undefined ? "-" : formatBytes(bytes),
    since === undefined ? "?" : since.toISOString().slice(0, 16).replace("T", " "),
    because,
  ]);
  return table(["source", "place", "what", "frees", "since", "why"], rows, width);
}

/** By their reason: there may be thousands. */
function keptTable(kept: readonly Finding[], verbose: boolean, width: number | undefined): string {
  if (verbose) {
    const rows = kept.map(({ source, place, kind, name, because }) => [
      source,
      place,
      `${kind} ${shortName(name)}`,
      because,
    ]);
    return table(["source", "place", "what", "why"], rows, width);
  }
  const groups = Map.groupBy(kept, ({ source, place, because }) => JSON.stringify([source, place, because]));
  const rows = [...groups.values()].flatMap((group) => {
    const [first] = group;
    return first ? [[first.source, first.place, String(group.length), first.because]] : [];
  });
  return table(["source", "place", "how many", "why"], rows, width);
}

function packages(uncommitted: Survey["uncommitted"], width: number | undefined): string {
  return table(
    ["peer", "package"],
    uncommitted.map(({ peer, packageId }) => [peer, shortName(packageId)]),
    width,
  );
}

function blindTable(blind: Survey["blind"], width: number | undefined, given: GivenCluster): string {
  const rows = blind.map(({ source, place, because, hint }) => [
    source ?? "peer",
    place,
    because,
    hint === undefined ? "" : typed(hint, given),
  ]);
  return table(["source", "place", "why", "hint"], rows, width);
}

function total(orphans: readonly Finding[]): string {
  const bytes = orphans.reduce((sum, finding) => sum + (finding.bytes ?? 0), 0);
  return `${orphans.length} orphan${orphans.length === 1 ? "" : "s"}, ${formatBytes(bytes)} to be freed`;
}

/** Decimal, as Docker counts: "13.6 MB". */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  const value = bytes / 1000 ** step;
  return `${value >= 100 || step === 0 ? value.toFixed(0) : value.toFixed(1)} ${units[step]}`;
}
