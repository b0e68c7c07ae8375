import { posix } from "node:path";
import ignore from "ignore";
import { FabricError } from "../../error.ts";
import type { LinkFilter } from "./chaincode-folder.ts";

/** Names that tools give to a person's own passwords and keys (npm, yarn, netrc, git, dotenv, OpenSSH): no library needs them. */
const personal = /^(\.npmrc|\.yarnrc(\.yml)?|\.netrc|\.git-credentials|\.env.*|id_(rsa|dsa|ecdsa|ed25519).*)$/i;
/** Keys by any other name (OpenSSH, OpenSSL, keytool). Libraries bring such files (roots of trust, Indonesian: id_ID.yml), which are public. */
const suspect = /^(id_.+|.+\.(key|pem|p12|pfx|jks|keystore))$/i;
/** What else begins with "id_": source, what is compiled of it, and public keys. */
const source = /^id_.+\.(pub|[cm]?[jt]sx?|json|map|node|wasm|go|[chs]|java|class|kts?|groovy|scala|proto|md)$/i;
/** What says how such a file is to look. */
const sample = /\.(example|sample|template|dist)$/i;

/** Files of a folder that may hold keys or passwords. */
export interface SecretFiles {
  /** `fetched` is below which folders a package manager keeps what it has fetched: it is public. */
  excluding(fetched: RegExp | undefined): LinkFilter;
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
    excluding: (fetched) => (path, kind, origin) => {
      // Where links lead to: a library of one's own is not fetched, though node_modules has a link to it.
      if (kind === "folder" || !isSecret(posix.basename(path), fetched?.test(origin) === true)) return false;
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

const isSecret = (name: string, isFetched: boolean): boolean =>
  (personal.test(name) || (!isFetched && suspect.test(name))) && !source.test(name) && !sample.test(name);

/** In order, and not hundreds of them. */
function listed(paths: ReadonlySet<string>): string {
  const names = [...paths].toSorted();
  return [...names.slice(0, 5), ...(names.length > 5 ? [`${names.length - 5} more`] : [])].join(", ");
}
