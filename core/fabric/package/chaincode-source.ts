import { FabricError, messageOf } from "../../error.ts";
import { checkFolder } from "./chaincode-folder.ts";
import { type ChaincodePackage, packChaincode } from "./chaincode-package.ts";
import { dockerIgnoreNotices } from "./docker-ignore.ts";
import { goSource } from "./go-source.ts";
import { javaSource } from "./java-source.ts";
import { type Bundle, nodeSource } from "./node-source.ts";
import { missingFor } from "./package-check.ts";
import type { ChaincodeLanguage } from "./package-rules.ts";
import { secretFiles, type SecretFiles } from "./secret-files.ts";
import type { ChaincodeSource } from "./source-files.ts";
import { languageOf, type SourceLanguage } from "./source-language.ts";

export interface SourceOptions {
  /** Files to pack although they look like keys or passwords: patterns as in .gitignore. */
  readonly include?: readonly string[] | undefined;
  /** Where the folder can be chaincode in several. */
  readonly language?: ChaincodeLanguage | undefined;
  /** Node: instead of the folder's own node_modules. */
  readonly bundled?: Bundle | undefined;
}

/** Packs a folder of source code. Throws `usage` for what Fabric would refuse to package, build or start. */
export async function packageChaincodeFolder(folder: string, label: string): Promise<ChaincodePackage> {
  const { language, path, files } = await readChaincodeSource(folder);
  return packChaincode({ path, type: language, label }, files);
}

/** Reads a folder of source code; what it has decides the language, where none is asked for. Throws `usage`. */
export async function readChaincodeSource(folder: string, options: SourceOptions = {}): Promise<ChaincodeSource> {
  try {
    return await readFolder(folder, options);
  } catch (error) {
    if (error instanceof FabricError || (error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new FabricError("usage", `cannot read ${folder}: ${messageOf(error)}`, { cause: error });
  }
}

async function readFolder(folder: string, options: SourceOptions): Promise<ChaincodeSource> {
  await checkFolder(folder);
  const found = await languageOf(folder, options.language);
  const secrets = secretFiles(options.include);
  const source = await sourceIn(folder, found, secrets, options.bundled);
  secrets.checkIncluded();
  checkBuildFile(folder, source);
  const docker = await dockerIgnoreNotices(found.moduleRoot ?? folder, source.files);
  return { ...source, notices: [...found.notices, ...source.notices, ...docker, ...secrets.notices()] };
}

function sourceIn(
  folder: string,
  { language, moduleRoot, hasBuild }: SourceLanguage,
  secrets: SecretFiles,
  bundled: Bundle | undefined,
): Promise<ChaincodeSource> {
  if (language === "node") return nodeSource(folder, secrets, bundled);
  return language === "golang"
    ? goSource(moduleRoot ?? folder, folder, secrets)
    : javaSource(folder, hasBuild, secrets);
}

/** Whatever left it out: without the file that a peer's build begins with there is nothing to build. */
function checkBuildFile(folder: string, { language, files, leftOut }: ChaincodeSource): void {
  const missing = missingFor(
    language,
    files.map(({ name }) => name),
  );
  if (missing === undefined) return;
  const ignored = new Set(leftOut.flatMap(({ file }) => file ?? []));
  const by = ignored.size > 0 ? `: see ${[...ignored].join(", ")}` : "";
  throw new FabricError("usage", `expected ${missing} in the package of ${folder}, found none${by}`);
}
