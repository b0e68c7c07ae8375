import { FabricError } from "../../error.ts";
import { describeProblem, readJson } from "../json-text.ts";

/** The peer command's two ways to write a call (internal/peer/chaincode/common.go, chaincodeInput), and a plain list. */
type Written = readonly unknown[] | { readonly function?: unknown; readonly args?: unknown };

/**
 * Arguments of a call from JSON: `{"Args":["f","a"]}`, `{"function":"f","Args":["a"]}` or `["f","a"]`; the first is the
 * function. An argument that is not a string is passed as JSON. Throws `usage`.
 */
export function parseCallArguments(text: string): readonly string[] {
  const written = readCall(text);
  const list: unknown = Array.isArray(written) ? written : (written as { args?: unknown }).args;
  const name = Array.isArray(written) ? undefined : (written as { function?: unknown }).function;
  if (!Array.isArray(list)) throw unexpected(text);
  if (name !== undefined && typeof name !== "string") throw unexpected(text);
  return [...(name === undefined ? [] : [name]), ...list.map(argument)];
}

function argument(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Go reads names of fields in any case. */
function readCall(text: string): Written {
  const read = readJson(text);
  if ("problem" in read) {
    throw new FabricError("usage", `expected arguments as JSON: ${describeProblem(read.problem)} of ${text}`, { hint });
  }
  const parsed = read.value;
  if (Array.isArray(parsed)) return parsed as readonly unknown[];
  if (typeof parsed !== "object" || parsed === null) throw unexpected(text);
  return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name.toLowerCase(), value as unknown]));
}

const hint = `arguments look like '{"Args":["CreateAsset","a1"]}' or '["CreateAsset","a1"]'`;

function unexpected(text: string): FabricError {
  return new FabricError("usage", `expected a list of arguments, found ${text}`, { hint });
}
