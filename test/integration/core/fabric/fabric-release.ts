import { join } from "node:path";
import { findReleases } from "../../../sandbox/fabric-release.ts";

/** An unpacked Fabric release: bin/, config/, builders/. */
export interface FabricRelease {
  readonly version: string;
  readonly home: string;
}

/** Those on this machine, the newest last. */
export const realReleases: readonly FabricRelease[] = await findReleases();

/** In place of a release: its peer and orderer are the project's emulator, and it has no tools. */
export const emulatorRelease: FabricRelease = { version: "emulator", home: "" };

/** What plays the peers and orderers; FABRIC_ONLY leaves the emulator out. */
export const releases = process.env["FABRIC_ONLY"] === "1" ? realReleases : [emulatorRelease, ...realReleases];

export function tool({ home }: FabricRelease, name: string): string {
  return join(home, "bin", name);
}
