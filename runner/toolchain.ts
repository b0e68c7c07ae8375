import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ApiError } from "./api-error.ts";
import { isRecord, labels, parseJson, strings } from "./images/image-config.ts";
import { baseName, imageName } from "./images/image-name.ts";

/** A replacement for one of Fabric's builder and runtime images: programs of this container, and a few files that commands need. */
export interface Toolchain {
  /** The name of its directory. */
  readonly name: string;
  /** Last parts of the image names that it replaces, for any registry and tag: "fabric-nodeenv". */
  readonly images: readonly string[];
  /** Values of the label org.hyperledger.fabric.chaincode.type: NODE, GOLANG, JAVA. */
  readonly types: readonly string[];
  /** Directories with programs, put before the runner's own PATH. */
  readonly path: readonly string[];
  /** Further paths that its programs read. */
  readonly read: readonly string[];
  /** {root} is the container's directory, {memory} its limit in bytes. */
  readonly environment: Readonly<Record<string, string>>;
  /** The working directory of commands, below the container's directory. */
  readonly workingDirectory: string;
  /** A directory whose content each container gets. It need not exist. */
  readonly files: string;
  /** Hex, like an image's ID: a hash of the name and the settings. */
  readonly id: string;
}

/** The toolchains of one runner. */
export interface Toolchains {
  readonly all: readonly Toolchain[];
  /** By an image's name. */
  find(image: string): Toolchain | undefined;
  /** By a chaincode image's label. */
  ofType(type: string | undefined): Toolchain | undefined;
  /** Throws ApiError 404, with the text that a peer recognises. */
  get(image: string): Toolchain;
}

const settingsFile = "toolchain.json";

/** Reads every `<directory>/<name>/toolchain.json`. Throws when one is missing or invalid, or there is none. */
export async function readToolchains(directory: string): Promise<Toolchains> {
  const all: Toolchain[] = [];
  for (const name of (await readdir(directory)).sort()) {
    const text = await readFile(join(directory, name, settingsFile), "utf8");
    all.push(parseToolchain(name, text, join(directory, name)));
  }
  if (all.length === 0) throw new Error(`expected a toolchain in ${directory}, found none`);
  return newToolchains(all);
}

function newToolchains(all: readonly Toolchain[]): Toolchains {
  const find = (image: string) => all.find(({ images }) => images.includes(baseName(image)));
  return {
    all,
    find,
    ofType: (type) => all.find(({ types }) => type !== undefined && types.includes(type)),
    get: (image) => {
      const found = find(image);
      if (found !== undefined) return found;
      const known = all.flatMap(({ images }) => images).join(", ");
      throw new ApiError(
        404,
        `No such image: ${imageName(image)}: this runner has the toolchains ${known}, and no registry`,
      );
    },
  };
}

export function parseToolchain(name: string, text: string, directory: string): Toolchain {
  const said = parseJson(text);
  if (!isRecord(said))
    throw new Error(`expected ${directory}/${settingsFile} to be an object, found ${text.slice(0, 40)}`);
  const images = strings(said["images"]);
  if (images.length === 0) throw new Error(`expected "images" in ${directory}/${settingsFile}, found none`);
  return {
    name,
    images,
    types: strings(said["types"]),
    path: strings(said["path"]),
    read: strings(said["read"]),
    environment: labels(said["environment"]),
    workingDirectory: typeof said["workingDirectory"] === "string" ? said["workingDirectory"] : "/",
    files: join(directory, "root"),
    id: createHash("sha256").update(`${name}\n${text}`).digest("hex"),
  };
}
