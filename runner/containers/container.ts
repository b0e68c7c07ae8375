import type { Output } from "./output.ts";
import type { ConfinedProcess } from "./confined-process.ts";
import type { Toolchain } from "../toolchain.ts";
import type { Usage } from "./process-table.ts";

/** A client's request to create a container (Engine API, ContainerCreate). */
export interface ContainerRequest {
  readonly name: string | undefined;
  readonly image: string;
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** HostConfig.NetworkMode, and below Memory in bytes, 0 for no limit; other fields of HostConfig are ignored. */
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
      /** Why the runner ended it; empty when it ended by itself, or by a client's request. */
      readonly error: string;
    };

/** A container: a command with a directory of its own, started or not. */
export interface Container {
  readonly id: string;
  readonly name: string;
  readonly request: ContainerRequest;
  /** Hex: the ID of a toolchain or of an image. */
  readonly imageId: string;
  /** Builds run in a toolchain, chaincode in an image. */
  readonly kind: "build" | "chaincode";
  readonly toolchain: Toolchain;
  /** Variables of the image, before the request's own. */
  readonly imageEnvironment: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly root: string;
  readonly created: Date;
  readonly output: Output;
  /** Bytes of memory for all of its processes together. */
  readonly memoryLimit: number;
  state: ContainerState;
  usage: Usage;
  /** Resolves with the exit code when the container ends. */
  readonly exit: PromiseWithResolvers<number>;
  readonly removed: PromiseWithResolvers<void>;
  /** Why the runner ends the container; empty until it does. */
  verdict: string;
}

/** A state in words, as Docker's "Up 5 seconds". */
export function statusText(state: ContainerState, now: Date): string {
  if (state.status === "created") return "Created";
  const since = state.status === "running" ? state.started : state.finished;
  const seconds = Math.max(0, Math.round((now.getTime() - since.getTime()) / 1000));
  return state.status === "running" ? `Up ${seconds} seconds` : `Exited (${state.code}) ${seconds} seconds ago`;
}
