import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** An unpacked Fabric release: bin/, config/, builders/. */
export interface FabricRelease {
  readonly version: string;
  readonly home: string;
}

const installed = "/opt/hyperledger-fabric";

/** FABRIC_HOME if set (none when it is empty), else all releases below /opt/hyperledger-fabric, the newest last. */
export function fabricReleases(): readonly FabricRelease[] {
  const home = process.env["FABRIC_HOME"];
  if (home !== undefined) return home === "" ? [] : [{ version: home, home }];
  if (!existsSync(installed)) return [];
  return readdirSync(installed)
    .map((version) => ({ version, home: join(installed, version) }))
    .filter((release) => existsSync(join(release.home, "bin/peer")) && existsSync(join(release.home, "bin/orderer")))
    .sort((left, right) => left.version.localeCompare(right.version, undefined, { numeric: true }));
}

/** In place of a release: its peer and orderer are the project's emulator, and it has no tools. */
export const emulatorRelease: FabricRelease = { version: "emulator", home: "" };

export function tool({ home }: FabricRelease, name: string): string {
  return join(home, "bin", name);
}
