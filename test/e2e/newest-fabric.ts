import { inject } from "vitest";

const [newest = "emulator"] = inject("sandbox").fabricVersions.toSorted((one, other) =>
  other.localeCompare(one, "en", { numeric: true }),
);

/** The newest release of Fabric that the sandbox has images of, such as 3.1.5, or what stands in for one. */
export const newestFabric = newest;

/** The tag of its images, such as 3.1. */
export const newestFabricTag = newest.split(".").slice(0, 2).join(".");
