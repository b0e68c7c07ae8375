import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { parse } from "yaml";
import { FabricError, givenByUser, messageOf } from "../../error.ts";
import { parseNetwork, type FabricNetwork } from "./spec.ts";

/** Reads a FabricNetwork from a YAML file, or from `stdin` for "-". Throws `usage`, also when it is of another name than `name`. */
export async function readNetworkFile(
  file: string,
  stdin: NodeJS.ReadableStream,
  name?: string,
): Promise<FabricNetwork> {
  const source = file === "-" ? "standard input" : file;
  const content = await (file === "-" ? text(stdin) : read(file));
  const network = givenByUser(() => parseNetwork(parseYaml(content, source), source));
  if (name === undefined || name === network.metadata.name) return network;
  throw new FabricError("usage", `expected the network ${name} in ${source}, found ${network.metadata.name}`, {
    hint: ["leave ", { setting: "network" }, " out, or change metadata.name in the file"],
  });
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new FabricError("usage", `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}

/** Throws `invalid` for every mistake, also for endless aliases and for nesting too deep for the stack. */
export function parseYaml(content: string, source: string): unknown {
  try {
    // Warnings would print the content to standard error without escaping.
    return parse(content, { logLevel: "error" });
  } catch (cause) {
    throw new FabricError("invalid", `${source} is not YAML: ${messageOf(cause)}`, { cause });
  }
}
