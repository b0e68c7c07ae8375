import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, pack, type Header, type Pack } from "tar-stream";
import {
  containerLog,
  createContainer,
  getArchive,
  putArchive,
  startContainer,
  waitForContainer,
} from "../../docker/containers.ts";
import type { Engine } from "../../docker/engine.ts";
import type { LayerStore } from "../../docker/layer-store.ts";
import { FabricError } from "../../error.ts";
import { readableBuildFailure } from "../../fabric/chaincode/build-log.ts";
import { chaincodeCode, type ChaincodePackage } from "../../fabric/package/chaincode-package.ts";
import type { StepContext } from "../../engine/step.ts";
import { nodeFolder } from "./node-image.ts";
import type { SeedPeer } from "../image/seed-peer.ts";

/** core/chaincode/platforms/node/platform.go, buildScript. */
const buildScript = readFileSync(new URL("./build-node.sh", import.meta.url), "utf8");

/** Characters at the end of a build's output that are kept. */
const keptOutput = 1024 * 1024;

export interface NodeBuild {
  readonly pkg: ChaincodePackage;
  /** What the peer would build it with. */
  readonly image: string;
  /** Told of the container, when it is not needed any more. */
  readonly discard: (container: string) => void;
}

/**
 * Builds Node chaincode in a peer's daemon as the peer does (core/chaincode/platforms/util/utils.go, DockerBuild), and keeps the
 * layer that it gives; gives its diff ID. Throws `rejected` when the build fails, EngineError when the daemon refuses.
 */
export function buildNode(
  peer: SeedPeer,
  { pkg, image, discard }: NodeBuild,
  store: LayerStore,
  { signal, progress }: StepContext,
): Promise<string> {
  return peer.withDaemon(signal, async ({ engine }) => {
    const code = Buffer.from(await chaincodeCode(pkg));
    const container = await createContainer(engine, { image, script: buildScript }, signal);
    try {
      progress("sends the sources to be built");
      await putArchive(engine, container, "/chaincode/input", Readable.from([code], { objectMode: false }), signal);
      await startContainer(engine, container, signal);
      const output = await followed(engine, container, { signal, progress });
      const status = await waitForContainer(engine, container, signal);
      if (status !== 0) throw failure(status, output);
      const built = await getArchive(engine, container, "/chaincode/output/.", signal);
      return await store.keepNew(builtLayer(built));
    } finally {
      discard(container);
    }
  });
}

/** The end of what a build writes; each line is told as it comes. */
async function followed(engine: Engine, container: string, { signal, progress }: StepContext): Promise<string> {
  let output = "";
  const log = await containerLog(engine, container, { follow: true, signal });
  for await (const chunk of log.setEncoding("utf8") as AsyncIterable<string>) {
    output = (output + chunk).slice(-keptOutput);
    // The chaincode's author controls this text: no control characters may reach a terminal.
    const line = output
      .trimEnd()
      .split("\n")
      .at(-1)
      ?.replaceAll(/\p{Cc}/gu, "")
      .slice(0, 80);
    progress(line ? `builds: ${line}` : "builds");
  }
  return output;
}

/** With the text that Fabric has for it. */
function failure(status: number, output: string): unknown {
  return readableBuildFailure(
    new FabricError("rejected", `docker build failed: Error returned from build: ${status} "${output}"`),
  );
}

/**
 * What was built, as a tar of `.`, at the place where Fabric adds it (core/chaincode/platforms/node/platform.go,
 * GenerateDockerfile). Times are zero. The stream fails with `invalid` for what would end up elsewhere.
 */
export function builtLayer(built: Readable): Readable {
  const layer = pack();
  const fill = async (): Promise<void> => {
    const tar = extract();
    const ended = await Promise.allSettled([moveAll(tar, layer), pipeline(built, tar)]);
    const failures = ended.flatMap((end): unknown[] => (end.status === "rejected" ? [end.reason] : []));
    // The failure of one makes the other fail, too: a FabricError is the first cause.
    if (failures.length > 0) throw failures.find((one) => one instanceof FabricError) ?? failures[0];
    layer.finalize();
  };
  fill().catch((error: Error) => layer.destroy(error));
  return Readable.from(layer, { objectMode: false });
}

async function moveAll(tar: ReturnType<typeof extract>, layer: Pack): Promise<void> {
  for (const name of ["usr/", "usr/local/"]) layer.entry({ ...timeless, name, type: "directory", mode: 0o755 });
  for await (const entry of tar) {
    const header = moved(entry.header);
    if (header.type === "file" && header.size) {
      await pipeline(Readable.from(entry, { objectMode: false }), layer.entry(header));
    } else {
      layer.entry(header, "");
      entry.resume();
    }
  }
}

type Entry = Pick<Header, "name"> & Partial<Header>;

const timeless = { uid: 0, gid: 0, mtime: new Date(0) } as const;

function moved({ name, type, linkname, mode, uid, gid, size }: Header): Entry {
  const common = { ...timeless, name: inside(name), mode, uid, gid, size };
  switch (type) {
    case "file":
    case "directory":
      return { ...common, type };
    case "symlink":
      return { ...common, type, linkname: linkname ?? "" };
    case "link":
      return { ...common, type, linkname: inside(linkname ?? "") };
    default:
      throw new FabricError("invalid", `expected files, folders and links in what was built, found ${name}, a ${type}`);
  }
}

function inside(name: string): string {
  const path = posix.join(nodeFolder, name);
  if (path.startsWith(nodeFolder)) return path;
  throw new FabricError("invalid", `expected names below . in what was built, found ${name}`);
}
