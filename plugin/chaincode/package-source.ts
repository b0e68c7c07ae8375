import { readFile, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { FabricError, messageOf } from "../error.ts";
import { readChaincodePackage, type ChaincodePackage } from "../fabric/chaincode-package.ts";
import { packageChaincodeFolder } from "../fabric/chaincode-source.ts";
import { installedPackage } from "../fabric/lifecycle.ts";
import type { OpenNetwork } from "../network/open-network.ts";
import { reachPeer } from "../network/reach.ts";
import type { FabricNode } from "../network/spec.ts";
import type { PackageToDeploy } from "./deployment.ts";

/** A package from what the user names: a folder of source code, or a package that is ready. Throws `usage` or `invalid`. */
export async function packageFrom(path: string, label: string): Promise<ChaincodePackage> {
  if (await isFolder(path)) return packageChaincodeFolder(path, label);
  if (/\.(tar\.gz|tgz)$/.test(path)) return readChaincodePackage(await readFile(path));
  throw new FabricError(
    "usage",
    `expected a folder or a package (.tar.gz), found the file ${basename(resolve(path))}`,
    {
      hint: "name the folder that has package.json, go.mod, pom.xml or build.gradle",
    },
  );
}

/** A package that peers have: asked of one after another when somebody needs its bytes. */
export function packageOnPeers(network: OpenNetwork, id: string, peers: readonly FabricNode[]): PackageToDeploy {
  let found: Promise<ChaincodePackage> | undefined;
  const find = async (signal: AbortSignal): Promise<ChaincodePackage> => {
    const failures: unknown[] = [];
    for (const node of peers) {
      try {
        const { connection, identity } = await reachPeer(network, node, signal);
        const bytes = await installedPackage(connection, identity, id, { signal });
        if (bytes) return await readChaincodePackage(bytes);
      } catch (error) {
        failures.push(error);
      }
    }
    const because = failures.length === 0 ? "none has it" : failures.map(messageOf).join("; ");
    throw new FabricError("not-found", `expected a peer that has the package ${id}: ${because}`, {
      hint: "name its source with --path",
      cause: failures[0],
    });
  };
  return {
    id,
    type: undefined,
    load: (signal) => {
      found ??= find(signal);
      return found;
    },
  };
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw new FabricError("usage", `cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}
