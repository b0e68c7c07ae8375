import type { Output } from "./output.ts";
import type { ConfinedProcess } from "./confined-process.ts";
import type { Toolchain } from "../toolchain.ts";
import type { Usage } from "./process-table.ts";

/** What a client asked for at creation (Engine API, ContainerCreate). */
export interface ContainerRequest {
  readonly name: string | undefined;
  readonly image: string;
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** HostConfig.NetworkMode and Memory in bytes, 0 for no limit; the rest has no meaning here. */
  readonly networkMode: string;
  readonly memory: number;
}

export type ContainerState =
  | { readonly status: "created" }
  | { readonly status: "running"; readonly process: ConfinedProcess; readonly started: Date }
  | {
      readonly status: "exited";
      readonly code: number;
      readonly started: Date;
      readonly finished: Date;
      /** Why the runner ended it. */
      readonly error: string;
    };

/** A process, or what is to become one, with a directory of its own. */
export interface Container {
  readonly id: string;
  readonly name: string;
  readonly request: ContainerRequest;
  /** Hex; of a toolchain or of a built image. */
  readonly imageId: string;
  /** Builds run in a toolchain, chaincode in an image that was built. */
  readonly kind: "build" | "chaincode";
  readonly toolchain: Toolchain;
  /** Variables of the image, before the request's own. */
  readonly imageEnvironment: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly root: string;
  readonly created: Date;
  readonly output: Output;
  /** Bytes that all of its processes may have in memory. */
  readonly memoryLimit: number;
  state: ContainerState;
  usage: Usage;
  /** Resolves with the exit code of the next end. */
  readonly exit: PromiseWithResolvers<number>;
  readonly removed: PromiseWithResolvers<void>;
  /** Set by the runner when it ends the container for a reason of its own. */
  verdict: string;
}

/** Seconds in words as Docker's "Up 5 seconds". */
export function statusText(state: ContainerState, now: Date): string {
  if (state.status === "created") return "Created";
  const since = state.status === "running" ? state.started : state.finished;
  const seconds = Math.max(0, Math.round((now.getTime() - since.getTime()) / 1000));
  return state.status === "running" ? `Up ${seconds} seconds` : `Exited (${state.code}) ${seconds} seconds ago`;
}
