import { posix } from "node:path";
import ignore from "ignore";
import { FabricError } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import type { LinkFilter } from "./chaincode-folder.ts";

/** Names of files with a person's own passwords and keys (npm, yarn, netrc, git, dotenv, OpenSSH): no library needs them. */
const personal = /^(\.npmrc|\.yarnrc(\.yml)?|\.netrc|\.git-credentials|\.env.*|id_(rsa|dsa|ecdsa|ed25519).*)$/i;
/** Other names of keys (OpenSSH, OpenSSL, keytool). Libraries have public files of such names: trusted roots, Indonesian's id_ID.yml. */
const suspect = /^(id_.+|.+\.(key|pem|p12|pfx|jks|keystore))$/i;
/** Files beginning with "id_" that are no keys: sources, compiled code, and public keys. */
const source = /^id_.+\.(pub|[cm]?[jt]sx?|json|map|node|wasm|go|[chs]|java|class|kts?|groovy|scala|proto|md)$/i;
/** Samples of such files. */
const sample = /\.(example|sample|template|dist)$/i;

/** Files of a folder that may hold keys or passwords. */
export interface SecretFiles {
  /** `fetched` matches the folders of a package manager's downloads, which are public. */
  excluding(fetched: RegExp | undefined): LinkFilter;
  /** To be called after all files were filtered. Throws `usage` for a pattern of `include` that let no file in. */
  checkIncluded(): void;
  /** What was left out, in a sentence; none where nothing was. */
  notices(): readonly Remedy[];
}

/**
 * A package may be given to every organization of a channel, and its readers see all of its files. So files that may hold secrets are
 * left out, except those that match `include` (patterns as in .gitignore).
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
      // The link's target counts: a library of the user's own is not downloaded, though node_modules has a link to it.
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
            [
              `left out, as they may hold keys or passwords: ${listed(left)}; `,
              { setting: "include" },
              " takes them, as ",
              { setting: "include", to: first },
            ],
          ];
    },
  };
}

const isSecret = (name: string, isFetched: boolean): boolean =>
  (personal.test(name) || (!isFetched && suspect.test(name))) && !source.test(name) && !sample.test(name);

/** The first five names in order, and how many more there are. */
function listed(paths: ReadonlySet<string>): string {
  const names = [...paths].toSorted();
  return [...names.slice(0, 5), ...(names.length > 5 ? [`${names.length - 5} more`] : [])].join(", ");
}
