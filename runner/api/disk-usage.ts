import type { Containers } from "../containers/containers.ts";
import type { ImageStore } from "../images/image-store.ts";
import type { Toolchains } from "../toolchain.ts";
import type { Route } from "./call.ts";
import { listContainers } from "./containers.ts";
import { listImages } from "./images.ts";

export interface DiskUsageSettings {
  readonly store: ImageStore;
  readonly toolchains: Toolchains;
  readonly containers: Containers;
  readonly now: () => Date;
}

/** /system/df: all images and containers, for `kubectl fabric cleanup`. Here builds leave no cache, and there are no volumes. */
export function diskUsageRoutes(settings: DiskUsageSettings): readonly Route[] {
  const all = new URLSearchParams({ all: "1" });
  return [
    {
      method: "GET",
      pattern: /^\/system\/df$/,
      answer: ({ query }) => {
        const types = query.getAll("type");
        const of = (type: string, list: () => readonly object[]) =>
          types.length === 0 || types.includes(type) ? list() : [];
        return {
          LayersSize: settings.store.list().reduce((sum, { size }) => sum + size, 0),
          Images: of("image", () => listImages(all, settings)),
          Containers: of("container", () => listContainers(all, settings.containers, settings.now())),
          Volumes: [],
          BuildCache: [],
        };
      },
    },
  ];
}
