import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";

/** Settings as Fabric's binaries take them: environment variables over the file of FABRIC_CFG_PATH over a default. */
export interface Environment {
  text(key: string, fallback?: string): string;
  flag(key: string, fallback?: boolean): boolean;
  /** A file or directory; a relative one is below FABRIC_CFG_PATH. */
  path(key: string, fallback?: string): string;
  /** PEM files, given as `a`, `a,b` or `[a, b]`. */
  files(key: string): readonly Buffer[];
}

/** `prefix` is CORE or ORDERER; `settings` is what core.yaml or orderer.yaml says, keyed as the variables are. */
export function newEnvironment(
  prefix: string,
  variables: NodeJS.ProcessEnv,
  settings: ReadonlyMap<string, string>,
): Environment {
  const configPath = variables["FABRIC_CFG_PATH"] ?? "/etc/hyperledger/fabric";
  const text = (key: string, fallback = ""): string => variables[`${prefix}_${key}`] ?? settings.get(key) ?? fallback;
  const absolute = (path: string): string => (path === "" || isAbsolute(path) ? path : join(configPath, path));
  return {
    text,
    flag: (key, fallback = false) => (text(key) === "" ? fallback : text(key).toLowerCase() === "true"),
    path: (key, fallback) => absolute(text(key, fallback)),
    files: (key) =>
      text(key)
        .replace(/^\[|\]$/g, "")
        .split(",")
        .map((path) => path.trim())
        .filter((path) => path !== "")
        .map((path) => readFileSync(absolute(path))),
  };
}

/** A YAML tree as `PEER_TLS_CERT_FILE` -> value, the way viper maps variables onto it. */
export function flatten(tree: unknown, prefix = ""): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  if (Array.isArray(tree)) {
    const plain = tree.every((item) => typeof item === "string" || typeof item === "number");
    found.set(prefix, plain ? tree.join(",") : JSON.stringify(tree));
  } else if (typeof tree === "object" && tree !== null) {
    for (const [key, value] of Object.entries(tree)) {
      flatten(value, `${prefix === "" ? "" : `${prefix}_`}${key.toUpperCase()}`).forEach((inner, name) =>
        found.set(name, inner),
      );
    }
  } else if (typeof tree === "string" || typeof tree === "number" || typeof tree === "boolean") {
    found.set(prefix, String(tree));
  }
  return found;
}
