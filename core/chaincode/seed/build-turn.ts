import { FabricError } from "../../error.ts";
import { answers, says } from "../../fabric/node/answers.ts";
import type { StepContext } from "../../engine/step.ts";

/** Of several peers that would build the same, one does. */
export interface BuildTurn {
  /**
   * True: it has built. False: it has waited for another peer's build, and the caller looks again. A build that failed because of what is
   * in the package would fail everywhere: then every later call throws.
   */
  take(host: string, build: () => Promise<void>, context: StepContext): Promise<boolean>;
}

export function newBuildTurn(): BuildTurn {
  let current: { readonly host: string; readonly ended: Promise<void> } | undefined;
  let failed: FabricError | undefined;
  return {
    async take(host, build, { progress }) {
      if (!failed && current) {
        progress(`waits for the build on ${current.host}`);
        await current.ended;
        if (!failed) return false;
      }
      if (failed) throw failed;
      const building = build();
      const quietly = building.catch(() => {});
      current = { host, ended: quietly };
      try {
        await building;
        return true;
      } catch (error) {
        if (isBuildFailure(error)) failed = notAgain(host, error);
        throw error;
      } finally {
        current = undefined;
      }
    },
  };
}

function isBuildFailure(error: unknown): error is FabricError {
  return error instanceof FabricError && says(error.message, answers.buildFailed);
}

function notAgain(host: string, cause: FabricError): FabricError {
  return new FabricError(cause.code, `the build on ${host} failed, and would here`, { hint: cause.hint, cause });
}
