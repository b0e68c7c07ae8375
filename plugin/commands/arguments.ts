import { InvalidArgumentError } from "commander";
import { messageOf } from "../error.ts";
import { parseCallArguments } from "../fabric/chaincode-arguments.ts";

/** Parsers of option values; commander turns what they throw into a usage error that names the option. */

export function positiveInteger(value: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(value)) throw new InvalidArgumentError("Expected a positive whole number.");
  return Number(value);
}

/** "30", "30s", "5m", "1h" as seconds. */
export function duration(value: string): number {
  const match = /^([1-9][0-9]{0,5})(s|m|h)?$/.exec(value);
  if (!match) throw new InvalidArgumentError("Expected a duration like 30s, 5m or 1h.");
  const seconds = { s: 1, m: 60, h: 3600 }[match[2] ?? "s"] ?? 1;
  return Number(match[1]) * seconds;
}

/** An age, "0s", "30m", "12h" or "7d", as seconds. */
export function age(value: string): number {
  const match = /^([0-9]{1,6})(s|m|h|d)$/.exec(value);
  if (!match) throw new InvalidArgumentError("Expected an age like 30m, 12h or 7d.");
  const seconds = { s: 1, m: 60, h: 3600, d: 86_400 }[match[2] ?? "s"] ?? 1;
  return Number(match[1]) * seconds;
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
