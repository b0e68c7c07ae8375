import type { Containers } from "../containers/containers.ts";
import type { Kernel } from "../confinement/kernel.ts";
import type { ImageStore } from "../images/image-store.ts";
import type { Toolchains } from "../toolchain.ts";
import type { Route } from "./call.ts";

/** The newest and the oldest version of the Engine API that clients may choose; the newest is Docker 28's. */
const apiVersion = "1.51";
const oldestApiVersion = "1.24";

/** Headers of /_ping, by which clients choose a version. */
const pingHeaders = {
  "Api-Version": apiVersion,
  Ostype: "linux",
  "Docker-Experimental": "false",
  "Cache-Control": "no-cache, no-store, must-revalidate",
} as const;

export interface SystemSettings {
  readonly version: string;
  readonly architecture: string;
  readonly kernel: Kernel;
  readonly store: ImageStore;
  readonly toolchains: Toolchains;
  readonly containers: Containers;
}

/** /_ping, /version and /info. */
export function systemRoutes({
  version,
  architecture,
  kernel,
  store,
  toolchains,
  containers,
}: SystemSettings): readonly Route[] {
  const ping: Route["answer"] = ({ response, method }) => {
    response.writeHead(200, { ...pingHeaders, "Content-Type": "text/plain; charset=utf-8" });
    response.end(method === "HEAD" ? undefined : "OK");
  };
  return [
    { method: "GET", pattern: /^\/_ping$/, answer: ping },
    { method: "HEAD", pattern: /^\/_ping$/, answer: ping },
    {
      method: "GET",
      pattern: /^\/version$/,
      answer: () => ({
        Version: `kubectl-fabric-runner-${version}`,
        ApiVersion: apiVersion,
        MinAPIVersion: oldestApiVersion,
        Os: "linux",
        Arch: architecture,
        Components: [{ Name: "kubectl-fabric runner", Version: version }],
      }),
    },
    {
      method: "GET",
      pattern: /^\/info$/,
      answer: () => {
        const all = containers.list();
        const count = (status: string) => all.filter(({ state }) => state.status === status).length;
        return {
          ID: "kubectl-fabric-runner",
          Name: "kubectl-fabric-runner",
          ServerVersion: `kubectl-fabric-runner-${version}`,
          Driver: "directories",
          OSType: "linux",
          Architecture: architecture,
          Containers: all.length,
          ContainersRunning: count("running"),
          ContainersPaused: 0,
          ContainersStopped: all.length - count("running"),
          Images: store.list().length + toolchains.all.length,
          SecurityOptions: [`name=landlock,abi=${kernel.landlock}`, ...(kernel.seccomp ? ["name=seccomp"] : [])],
          Warnings: kernel.missing,
        };
      },
    },
  ];
}
