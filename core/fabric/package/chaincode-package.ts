import { createHash } from "node:crypto";
import { FabricError } from "../../error.ts";
import { goFields } from "../go-fields.ts";
import { describeProblem, readJson } from "../json-text.ts";
import { checkChaincodeLabel } from "./chaincode-label.ts";
import { checkPackageEntries } from "./package-check.ts";
import { type ArchiveEntry, type ArchiveFile, listTarball, packTarball, unpackTarball } from "./tarball.ts";

/** A package's metadata.json (core/chaincode/persistence/chaincode_package.go). */
export interface ChaincodePackageMetadata {
  /** Go: the import path of the package main. Fabric ignores it for other types. */
  readonly path: string;
  /** "node", "golang", "java", or what an external builder looks for ("ccaas"). */
  readonly type: string;
  readonly label: string;
}

/** A chaincode package, as it is installed on peers. */
export interface ChaincodePackage {
  /** `label:sha256`: the name of the package on peers and in approvals. */
  readonly id: string;
  readonly metadata: ChaincodePackageMetadata;
  /** The tar.gz. */
  readonly bytes: Uint8Array;
}

/** Below the peer's limit for a message, 100 MiB (internal/pkg/comm/config.go, DefaultMaxRecvMsgSize). */
const largest = 99 * 1024 * 1024;

/** Throws `usage` when a package has more bytes than a peer takes. */
export function checkPackageSize(bytes: number): void {
  if (bytes <= largest) return;
  const size = (bytes / 1024 / 1024).toFixed(1);
  throw new FabricError("usage", `expected a package below 99 MiB, found ${size} MiB`, {
    hint: "leave development dependencies out: npm ci --omit=dev",
  });
}

/** Packs source code (names as inside code.tar.gz). The same files and label give the same ID on any machine. */
export async function packChaincode(
  metadata: ChaincodePackageMetadata,
  code: readonly ArchiveFile[],
): Promise<ChaincodePackage> {
  checkChaincodeLabel(metadata.label);
  const { path, type, label } = metadata;
  const bytes = await packTarball(
    [
      { name: "metadata.json", content: Buffer.from(JSON.stringify({ path, type, label })) },
      { name: "code.tar.gz", content: await packTarball(code) },
    ],
    { level: 0 },
  );
  checkPackageSize(bytes.length);
  return { id: packageId(label, bytes), metadata, bytes };
}

/** Reads a package's bytes. Throws `invalid` when metadata.json or code.tar.gz is missing or unreadable, `usage` for a wrong label. */
export async function readChaincodePackage(bytes: Uint8Array): Promise<ChaincodePackage> {
  const files = await unpackTarball(bytes, "a chaincode package");
  const content = (name: string) => files.find((file) => file.name === name)?.content;
  const json = content("metadata.json");
  if (!json || !content("code.tar.gz")) {
    throw new FabricError(
      "invalid",
      `expected metadata.json and code.tar.gz in a chaincode package, found ${listOf(files)}`,
    );
  }
  const metadata = readMetadata(json);
  return { id: packageId(metadata.label, bytes), metadata, bytes };
}

/** The code.tar.gz of a package, as a peer passes it to the build. */
export async function chaincodeCode({ bytes }: Pick<ChaincodePackage, "bytes">): Promise<Uint8Array> {
  const files = await unpackTarball(bytes, "a chaincode package");
  return files.find(({ name }) => name === "code.tar.gz")?.content ?? new Uint8Array();
}

/** The source code inside a package; names are those in code.tar.gz. */
export async function chaincodeFiles(pkg: Pick<ChaincodePackage, "bytes">): Promise<readonly ArchiveFile[]> {
  return unpackTarball(await chaincodeCode(pkg), "code.tar.gz");
}

/** The entries of a package's code.tar.gz. Throws `invalid` when a peer would refuse or could not build them. */
export async function checkPackageContent(pkg: ChaincodePackage): Promise<readonly ArchiveEntry[]> {
  const entries = await listTarball(await chaincodeCode(pkg), "code.tar.gz");
  checkPackageEntries(pkg.metadata.type, entries);
  return entries;
}

/** core/chaincode/persistence/persistence.go, PackageID. */
function packageId(label: string, bytes: Uint8Array): string {
  return `${label}:${createHash("sha256").update(bytes).digest("hex")}`;
}

function readMetadata(json: Uint8Array): ChaincodePackageMetadata {
  const read = readJson(Buffer.from(json).toString("utf8"));
  if ("problem" in read) {
    throw new FabricError("invalid", `expected JSON in metadata.json: ${describeProblem(read.problem)}`);
  }
  const { path, type, label } = goFields(read.value, ["path", "type", "label"]);
  if (typeof type !== "string" || typeof label !== "string") {
    throw new FabricError("invalid", "expected type and label in metadata.json, found none");
  }
  checkChaincodeLabel(label);
  return { path: typeof path === "string" ? path : "", type: builtType(type), label };
}

/** A peer builds its own languages by their names in any case (core/container/dockercontroller/dockercontroller.go, Build). */
function builtType(type: string): string {
  const lower = type.toLowerCase();
  return ["golang", "java", "node"].includes(lower) ? lower : type;
}

function listOf(files: readonly ArchiveFile[]): string {
  return files.map(({ name }) => name).join(", ") || "nothing";
}
