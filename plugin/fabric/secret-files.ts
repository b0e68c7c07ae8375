import { posix } from "node:path";
import ignore from "ignore";
import { FabricError } from "../error.ts";
import type { PathFilter } from "./chaincode-folder.ts";

/** Names that tools give to files with keys and passwords: npm, netrc, git, dotenv, OpenSSH, OpenSSL, keytool. */
const secret =
  /^(\.npmrc|\.yarnrc(\.yml)?|\.netrc|\.git-credentials|\.env.*|id_[^.]+|.+\.(key|pem|p12|pfx|jks|keystore))$/i;
/** What says how such a file is to look. */
const sample = /\.(example|sample|template|dist)$/i;
/** What comes from registries is public. */
const fetched = /(^|\/)(node_modules|vendor)\//;

/** Files of a folder that may hold keys or passwords. */
export interface SecretFiles {
  readonly excludes: PathFilter;
  /** Once all have been looked at: throws `usage` for what `include` names, and the folder has not. */
  checkIncluded(): void;
  /** What was left out, in a sentence; none where nothing was. */
  notices(): readonly string[];
}

/**
 * Everybody who may read a package, which every organization of a channel may be given, reads what is in it: such files are left out, but
 * for those that `include` names, as .gitignore names files.
 */
export function secretFiles(include: readonly string[] = []): SecretFiles {
  const wanted = include.map((pattern) => ({
    pattern,
    rules: ignore().add(pattern.replace(/^\.\//, "/")),
    met: false,
  }));
  const left = new Set<string>();
  return {
    excludes(path, kind) {
      const name = posix.basename(path);
      if (kind === "folder" || fetched.test(path) || !secret.test(name) || sample.test(name)) return false;
      const named = wanted.filter(({ rules }) => rules.ignores(path));
      for (const one of named) one.met = true;
      if (named.length > 0) return false;
      left.add(path);
      return true;
    },
    checkIncluded() {
      const idle = wanted.find(({ met }) => !met);
      if (!idle) return;
      throw new FabricError(
        "usage",
        `expected --include to name files that are left out otherwise (${listed(left) || "none are"}), found ${idle.pattern}`,
      );
    },
    notices() {
      const [first] = [...left].toSorted();
      return first === undefined
        ? []
        : [
            `left out, as they may hold keys or passwords: ${listed(left)}; --include takes them, as --include ${first}`,
          ];
    },
  };
}

/** In order, and not hundreds of them. */
function listed(paths: ReadonlySet<string>): string {
  const names = [...paths].toSorted();
  return [...names.slice(0, 5), ...(names.length > 5 ? [`${names.length - 5} more`] : [])].join(", ");
}
