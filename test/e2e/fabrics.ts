import { inject } from "vitest";

/** What plays the peers and orderers. */
export interface Fabric {
  /** Such as 3.1.5, or "emulator". */
  readonly version: string;
  /** Tag of its images, such as 3.1. */
  readonly tag: string;
}

const { fabricVersions, nodeenvArchive } = inject("cluster");

/** The releases of Fabric that the cluster has images of, oldest first; else what stands in for one. */
export const fabrics: readonly Fabric[] = fabricVersions
  .toSorted((one, other) => one.localeCompare(other, "en", { numeric: true }))
  .map((version) => ({ version, tag: version.split(".").slice(0, 2).join(".") }));

export const newest = fabrics.at(-1) as Fabric;

/** Options of `deploy-cc` for daemons that reach no registry. */
export const loadImage: readonly string[] = nodeenvArchive === undefined ? [] : ["--load-image", nodeenvArchive];
