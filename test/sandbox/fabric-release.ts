import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { FabricError } from "../../core/error.ts";
import { CommandFailure, run } from "./command.ts";

/** An unpacked release of Hyperledger Fabric: bin/, config/, builders/. */
export interface FabricRelease {
  readonly home: string;
  /** As the peer says, without `v`: 3.1.5 */
  readonly version: string;
  /** Major and minor version, by which images are tagged: 3.1 */
  readonly line: string;
  /** Files below config/msp. */
  readonly sampleMspFiles: readonly string[];
}

export const defaultReleases = "/opt/hyperledger-fabric";

/** Directories to look into: $FABRIC_HOME (several with `:`; none when it is empty), else everything below /opt/hyperledger-fabric. */
export function releaseHomes(fabricHome: string | undefined, below: readonly string[]): readonly string[] {
  if (fabricHome !== undefined) return fabricHome.split(":").filter((home) => home !== "");
  return below.map((name) => join(defaultReleases, name));
}

/** The releases on this machine, the newest of each line, oldest line first. */
export async function findReleases(environment: NodeJS.ProcessEnv = process.env): Promise<readonly FabricRelease[]> {
  const below = existsSync(defaultReleases) ? readdirSync(defaultReleases) : [];
  const homes = releaseHomes(environment["FABRIC_HOME"], below);
  const complete = homes.filter(
    (home) => environment["FABRIC_HOME"] !== undefined || existsSync(join(home, "bin/peer")),
  );
  return newestOfEachLine(await Promise.all(complete.map(inspectRelease)));
}

export function newestOfEachLine(releases: readonly FabricRelease[]): readonly FabricRelease[] {
  const sorted = [...releases].sort((a, b) => compareVersions(a.version, b.version));
  return [...new Map(sorted.map((release) => [release.line, release])).values()];
}

export function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

/** Reads what `peer version` prints. */
export function versionOf(output: string): string | undefined {
  return /^\s*Version: v?(\d+\.\d+\.\d+\S*)/m.exec(output)?.[1];
}

async function inspectRelease(home: string): Promise<FabricRelease> {
  const version = versionOf(await peerVersion(home));
  if (version === undefined) {
    throw new FabricError("invalid", `expected ${home}/bin/peer to tell its version, found none`, { hint: wanted });
  }
  const msp = join(home, "config/msp");
  return {
    home,
    version,
    line: version.split(".").slice(0, 2).join("."),
    sampleMspFiles: existsSync(msp) ? filesBelow(msp) : [],
  };
}

const wanted = "set FABRIC_HOME to an unpacked Fabric release with bin/peer, bin/orderer and config/, or unset it";

async function peerVersion(home: string): Promise<string> {
  try {
    return await run(join(home, "bin/peer"), ["version"]);
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    throw new FabricError("not-found", `expected a Fabric release in ${home}; ${error.message}`, {
      hint: wanted,
      cause: error,
    });
  }
}

function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}
