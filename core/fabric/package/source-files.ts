import { readFile } from "node:fs/promises";
import { posix } from "node:path";
import { FabricError } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import { describeProblem, readJson } from "../json-text.ts";
import { folderFiles, type FolderFile } from "./chaincode-folder.ts";
import { ruleOf, type ChaincodeLanguage } from "./package-rules.ts";
import type { SecretFiles } from "./secret-files.ts";
import type { Judge, LeftOut } from "./sieve.ts";
import type { ArchiveFile } from "./tarball.ts";

/** Source code, ready to be packed. */
export interface ChaincodeSource {
  readonly language: ChaincodeLanguage;
  /** The import path of Go chaincode; empty otherwise. */
  readonly path: string;
  readonly files: readonly ArchiveFile[];
  /** What is worth knowing, in sentences. */
  readonly notices: readonly Remedy[];
  /** What the peer's build has to download; nothing when it can go on without a network. */
  readonly downloads: readonly string[];
  /** How it comes to need none. */
  readonly withoutNetwork: Remedy;
  /** What is in the folder, and not in the package. */
  readonly leftOut: readonly LeftOut[];
}

/** What looks like a key is left out, unless it was fetched or is included. */
export function secretJudge(secrets: SecretFiles, fetched: RegExp | undefined): Judge {
  const isSecret = secrets.excluding(fetched);
  const { what, why } = ruleOf("what looks like a key or a password");
  return (path, kind, origin) => (isSecret(path, kind, origin) ? { rule: what, why } : undefined);
}

/** What ignore files left out, in a sentence; none where they left out nothing. */
export function ignoredNotices(leftOut: readonly LeftOut[]): readonly string[] {
  const files = new Set(leftOut.flatMap(({ file }) => file ?? []));
  return files.size === 0 ? [] : [`${[...files].join(" and ")} decided what is left out`];
}

/** Files of the metadata folder go beside the sources. */
export async function archiveFiles(
  files: readonly FolderFile[],
  metadataFolder: string,
): Promise<readonly ArchiveFile[]> {
  const isMetadata = ({ path }: FolderFile) => path.startsWith(`${metadataFolder}/`);
  return Promise.all(
    files.map(async (file) =>
      isMetadata(file)
        ? metadataFile({ ...file, path: `META-INF${file.path.slice(metadataFolder.length)}` })
        : { name: `src/${file.path}`, content: await readFile(file.file) },
    ),
  );
}

/** The indexes of a folder of chaincode, whatever its language: all that a service takes of it. Throws `usage` for other metadata. */
export async function readIndexes(folder: string): Promise<readonly ArchiveFile[]> {
  const isHidden = (path: string) => posix.basename(path).startsWith(".");
  const files = await folderFiles(
    folder,
    (path, kind) => /^META-INF(\/|$)/.test(path) && !(kind === "file" && isHidden(path)),
  );
  return archiveFiles(
    files.filter(({ path }) => path.startsWith("META-INF/")),
    "META-INF",
  );
}

/** CouchDB indexes are the only metadata that Fabric accepts (internal/ccmetadata/validators.go). Throws `usage` for other files. */
async function metadataFile({ path, file }: FolderFile): Promise<ArchiveFile> {
  const content = await readFile(file);
  if (!/^META-INF\/statedb\/couchdb\/(collections\/[A-Za-z0-9_-]+\/)?indexes\/.*\.json$/.test(path)) {
    throw new FabricError("usage", `expected CouchDB indexes below META-INF, found ${path}`, {
      hint: "META-INF/statedb/couchdb/indexes/NAME.json, or META-INF/statedb/couchdb/collections/COLLECTION/indexes/NAME.json",
    });
  }
  const read = readJson(content.toString("utf8"));
  if ("problem" in read) throw new FabricError("usage", `expected JSON in ${path}: ${describeProblem(read.problem)}`);
  return { name: path, content };
}
