import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { parse } from "yaml";
import { FabricError, givenByUser, messageOf } from "../error.ts";
import { parseNetwork, type FabricNetwork } from "./spec.ts";

/** Reads a FabricNetwork from a YAML file, or from `stdin` for "-". Throws `usage`. */
export async function readNetworkFile(file: string, stdin: NodeJS.ReadableStream): Promise<FabricNetwork> {
  const source = file === "-" ? "standard input" : file;
  const content = await (file === "-" ? text(stdin) : read(file));
  return givenByUser(() => parseNetwork(parseYaml(content, source), source));
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new FabricError("usage", `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}

/** Throws `invalid` for whatever is wrong: also for aliases without end, and what is nested deeper than there is room for. */
export function parseYaml(content: string, source: string): unknown {
  try {
    // Warnings would show the content on standard error as it is.
    return parse(content, { logLevel: "error" });
  } catch (cause) {
    throw new FabricError("invalid", `${source} is not YAML: ${messageOf(cause)}`, { cause });
  }
}
