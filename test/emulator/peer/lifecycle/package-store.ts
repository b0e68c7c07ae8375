import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { extract } from "tar-stream";

export interface ChaincodePackage {
  readonly packageId: string;
  readonly label: string;
  /** As metadata.json says: golang, node, java, ccaas, … */
  readonly type: string;
  readonly path: string;
  readonly metadata: Buffer;
  /** code.tar.gz. */
  readonly code: Buffer;
}

export class PackageNotFound extends Error {
  constructor(packageId: string) {
    super(`chaincode install package '${packageId}' not found`);
  }
}

/** Packages installed at a peer, one file each (core/chaincode/persistence/persistence.go). */
export class PackageStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  has(packageId: string): boolean {
    return existsSync(this.#path(packageId));
  }

  /** IDs, sorted by file name. */
  list(): readonly string[] {
    return readdirSync(this.#directory)
      .sort()
      .flatMap((name) => {
        const [, label, hash] = /^(.+)[.]([0-9a-f]{64})[.]tar[.]gz$/.exec(name) ?? [];
        return label === undefined ? [] : [`${label}:${hash}`];
      });
  }

  read(packageId: string): Buffer {
    if (!this.has(packageId)) {
      throw new PackageNotFound(packageId);
    }
    return readFileSync(this.#path(packageId));
  }

  save(packageId: string, bytes: Uint8Array): void {
    const temporary = join(this.#directory, `.ccpackage.${process.pid}.${Date.now()}`);
    const descriptor = openSync(temporary, "w");
    writeSync(descriptor, bytes);
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(temporary, this.#path(packageId));
  }

  delete(packageId: string): void {
    rmSync(this.#path(packageId), { force: true });
  }

  #path(packageId: string): string {
    return join(this.#directory, `${packageId.replace(":", ".")}.tar.gz`);
  }
}

/** Throws Fabric's text when it is not a chaincode package (core/chaincode/persistence/chaincode_package.go). */
export async function parsePackage(bytes: Uint8Array): Promise<ChaincodePackage> {
  const files = await regularFiles(unzip(bytes));
  const code = files.get("code.tar.gz");
  const metadata = files.get("metadata.json");
  if (code === undefined) {
    throw new Error("did not find a code package inside the package");
  }
  if (metadata === undefined) {
    throw new Error("did not find any package metadata (missing metadata.json)");
  }
  const { type = "", path = "", label = "" } = parseMetadata(metadata);
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.+-]*$/.test(label)) {
    throw new Error(
      `invalid label '${label}'. Label must be non-empty, can only consist of alphanumerics, symbols from '.+-_', and can only begin with alphanumerics`,
    );
  }
  const hash = createHash("sha256").update(bytes).digest("hex");
  return { packageId: `${label}:${hash}`, label, type, path, metadata, code };
}

/** The regular files of a tar archive by name. */
export async function regularFiles(archive: Buffer): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const entries = extract();
  Readable.from([archive]).pipe(entries);
  for await (const entry of entries) {
    if (entry.header.type !== "file") {
      throw new Error(`tar entry ${entry.header.name} is not a regular file, type ${entry.header.type}`);
    }
    files.set(entry.header.name, await buffer(entry));
  }
  return files;
}

interface PackageMetadata {
  readonly type?: string;
  readonly path?: string;
  readonly label?: string;
}

function parseMetadata(metadata: Buffer): PackageMetadata {
  try {
    return JSON.parse(metadata.toString("utf8")) as PackageMetadata;
  } catch (error) {
    throw new Error("could not unmarshal metadata.json as json", { cause: error });
  }
}

function unzip(bytes: Uint8Array): Buffer {
  try {
    return gunzipSync(bytes);
  } catch (error) {
    const reason = bytes.length === 0 ? "EOF" : "gzip: invalid header";
    throw new Error(`error reading as gzip stream: ${reason}`, { cause: error });
  }
}
