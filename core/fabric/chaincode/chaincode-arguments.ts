import { FabricError } from "../../error.ts";
import { goFields } from "../go-fields.ts";
import { describeProblem, readJson } from "../json-text.ts";

/**
 * Arguments of a call from JSON: `{"Args":["f","a"]}` or `{"function":"f","Args":["a"]}`, the peer command's two ways to write a call
 * (internal/peer/chaincode/common.go, chaincodeInput), or `["f","a"]`; the first is the function. An argument that is not a string is passed
 * as JSON. Throws `usage`.
 */
export function parseCallArguments(text: string): readonly string[] {
  const read = readJson(text);
  if ("problem" in read) {
    throw new FabricError("usage", `expected arguments as JSON: ${describeProblem(read.problem)} of ${text}`, { hint });
  }
  if (Array.isArray(read.value)) return read.value.map(argument);
  const { function: name = "", args = name === "" ? undefined : [] } = goFields(read.value, ["function", "args"]);
  if (!Array.isArray(args) || typeof name !== "string") throw unexpected(text);
  return [...(name === "" ? [] : [name]), ...args.map(argument)];
}

function argument(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

const hint = `arguments look like '{"Args":["CreateAsset","a1"]}' or '["CreateAsset","a1"]'`;

function unexpected(text: string): FabricError {
  return new FabricError("usage", `expected a list of arguments, found ${text}`, { hint });
}
