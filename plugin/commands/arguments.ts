import { InvalidArgumentError } from "commander";
import { messageOf } from "../../core/error.ts";
import { parseCallArguments } from "../../core/fabric/chaincode/chaincode-arguments.ts";

/** Parsers of option values; commander turns what they throw into a usage error that names the option. */

const wholeNumberTo =
  (most: number) =>
  (value: string): number => {
    if (/^[1-9][0-9]*$/.test(value) && Number(value) <= most) return Number(value);
    throw new InvalidArgumentError(`Expected a whole number from 1 to ${most}.`);
  };

export const positiveInteger = wholeNumberTo(999_999);

/** Peers or orderers of an organization (core/network/resources/spec.ts). */
export const nodeCount = wholeNumberTo(99);

const secondsOf = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
type Unit = keyof typeof secondsOf;

/** One rule for every option that takes a time: "30s", "5m", "1h" or "7d". A number alone would be days to one and seconds to another. */
function time(value: string, least: number): { readonly count: number; readonly unit: Unit } {
  const [, digits, unit] = /^([0-9]{1,9})(s|m|h|d)$/.exec(value) ?? [];
  const count = Number(digits);
  if (digits === undefined || count * secondsOf[unit as Unit] < least) {
    const from = least > 1 ? ` from ${least}s on,` : "";
    throw new InvalidArgumentError(`Expected a time${from} like 30s, 5m, 1h or 7d.`);
  }
  return { count, unit: unit as Unit };
}

/** A time of a second or more, as seconds. */
export function duration(value: string): number {
  const { count, unit } = time(value, 1);
  return count * secondsOf[unit];
}

/** A time since something, as seconds; "0s" is now. */
export function age(value: string): number {
  const { count, unit } = time(value, 0);
  return count * secondsOf[unit];
}

/** Seconds as these options take them, in the largest unit: 604800 is "7d". */
export function timeOf(seconds: number): string {
  const units = Object.entries(secondsOf).toReversed();
  const [unit, length] = units.find(([, each]) => seconds >= each && seconds % each === 0) ?? ["s", 1];
  return `${seconds / length}${unit}`;
}

/** How long chaincode may be idle, in the words of the annotation, which knows no days (core/injection/idle.ts). */
export function idleTime(value: string): string {
  const { count, unit } = time(value, 5);
  return unit === "d" ? `${count * 24}h` : `${count}${unit}`;
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/** The fields of a CronJob's schedule: first and last value, and names from the first on. */
const cronFields: readonly { readonly first: number; readonly last: number; readonly names?: readonly string[] }[] = [
  { first: 0, last: 59 },
  { first: 0, last: 23 },
  { first: 1, last: 31 },
  { first: 1, last: 12, names: months },
  { first: 0, last: 6, names: weekdays },
];

/** A schedule as the API server takes it in a CronJob (github.com/robfig/cron v3, ParseStandard): "17 3 * * *", "@daily". */
export function cronSchedule(value: string): string {
  const fields = value.trim().split(/\s+/);
  const isShort = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly|every ([0-9.]+(h|m|s))+)$/.test(value);
  const isLong =
    fields.length === cronFields.length && cronFields.every((field, index) => isCronField(fields[index] ?? "", field));
  if (isShort || isLong) return value;
  throw new InvalidArgumentError('Expected a schedule of five fields like "17 3 * * *", or one like @daily.');
}

function isCronField(text: string, { first, last, names = [] }: (typeof cronFields)[number]): boolean {
  const valueOf = (word: string): number => {
    const named = names.indexOf(word.toLowerCase());
    return named >= 0 ? first + named : /^[0-9]{1,2}$/.test(word) ? Number(word) : NaN;
  };
  return text.split(",").every((part) => {
    const [, range = "", step] = /^([^/]+)(?:\/([0-9]{1,4}))?$/.exec(part) ?? [];
    if (range === "" || Number(step ?? 1) === 0) return false;
    if (range === "*" || range === "?") return true;
    const [from = NaN, to = from, ...more] = range.split("-").map(valueOf);
    return more.length === 0 && from >= first && from <= to && to <= last;
  });
}

/** "a,b" given once or several times. */
export function list(value: string, before: readonly string[] | undefined): readonly string[] {
  const items = value.split(",").map((item) => item.trim());
  if (items.some((item) => item === "")) throw new InvalidArgumentError("Expected names separated by commas.");
  return [...(before ?? []), ...items];
}

export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** A call in JSON: function and arguments. */
export function callArguments(value: string): readonly string[] {
  try {
    return parseCallArguments(value);
  } catch (error) {
    throw new InvalidArgumentError(`${messageOf(error)}.`);
  }
}

/** "1.28" or "v1.30.2" */
export function kubernetesVersion(value: string): string {
  if (!/^v?1\.[0-9]{1,3}([.+-].*)?$/.test(value)) throw new InvalidArgumentError("Expected a version like 1.30.");
  return value;
}
