import { ApiError } from "../api-error.ts";

/** The contents of a peer's Dockerfile (core/chaincode/platforms/platforms.go, GenerateDockerfile). */
export interface Dockerfile {
  readonly from: string;
  readonly adds: readonly Addition[];
  readonly labels: Readonly<Record<string, string>>;
  /** "NAME=value" */
  readonly environment: readonly string[];
}

interface Addition {
  /** A tar archive of the build context. */
  readonly archive: string;
  readonly directory: string;
}

/** Reads FROM, ADD, LABEL and ENV. Throws ApiError 400 for anything else: nothing is run in a build, and nothing passed over. */
export function parseDockerfile(text: string): Dockerfile {
  let from: string | undefined;
  const adds: Addition[] = [];
  const labels: Record<string, string> = {};
  const environment: string[] = [];
  for (const line of text.replace(/\\\r?\n/g, " ").split(/\r?\n/)) {
    const [word = "", ...rest] = line.trim().split(/\s+/);
    const [first, second, ...more] = rest;
    if (word === "" || word.startsWith("#")) continue;
    if (word === "FROM" && first !== undefined && second === undefined && from === undefined) from = first;
    else if (word === "ADD" && first !== undefined && second !== undefined && more.length === 0) {
      adds.push({ archive: first, directory: second });
    } else if (word === "LABEL") Object.assign(labels, Object.fromEntries(pairs(line).map(splitPair)));
    else if (word === "ENV") environment.push(...pairs(line));
    else
      throw new ApiError(
        400,
        `cannot build: expected FROM, ADD, LABEL or ENV as peers write them, found ${line.trim()}`,
      );
  }
  if (from === undefined) throw new ApiError(400, "cannot build: expected FROM in the Dockerfile, found none");
  return { from, adds, labels, environment };
}

/** `LABEL a="b c" d=e` as "a=b c" and "d=e". */
function pairs(line: string): readonly string[] {
  const found = [...line.matchAll(/([\w.-]+)=(?:"([^"]*)"|(\S*))/g)];
  return found.map(([, name = "", quoted, plain = ""]) => `${name}=${quoted ?? plain}`);
}

function splitPair(pair: string): [string, string] {
  const equals = pair.indexOf("=");
  return [pair.slice(0, equals), pair.slice(equals + 1)];
}
