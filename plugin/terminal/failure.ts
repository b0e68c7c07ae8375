import { CommanderError } from "commander";
import { FabricError, messageOf, type ErrorCode } from "../../core/error.ts";
import type { OutputFormat } from "./output.ts";
import { typed, type GivenCluster } from "./remedy.ts";
import { visible } from "./visible.ts";

/** Process exit codes, as documented in `kubectl fabric --help`. */
export const exitCodes = { done: 0, failed: 1, usage: 2, notReady: 3, interrupted: 130 } as const;

export function exitCodeOf(thrown: unknown): number {
  // Commander's exit code is 0 after --help, else the command line is wrong.
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (!(thrown instanceof FabricError)) return exitCodes.failed;
  switch (thrown.code) {
    case "usage":
      return exitCodes.usage;
    case "not-ready":
      return exitCodes.notReady;
    case "interrupted":
      return exitCodes.interrupted;
    default:
      return exitCodes.failed;
  }
}

/** The error for a defect: anything thrown that no code caught. Its first line is the message; the thrown value stays as the cause. */
export function defectOf(thrown: unknown): FabricError {
  const [first = ""] = messageOf(thrown).split("\n");
  return new FabricError("internal", first, { cause: thrown });
}

/** A failure in the JSON output. */
export interface FailureData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** `given`: what its hint is to be typed with. What is no FabricError is a defect, `internal`. */
export function failureData(thrown: unknown, given?: GivenCluster): FailureData {
  if (!(thrown instanceof FabricError)) return { code: "internal", message: messageOf(thrown) };
  const { code, message, hint } = thrown;
  return { code, message, hint: hint === undefined ? undefined : typed(hint, given) };
}

/** Two lines: `error:` and, when there is something to type next, `hint:`; as JSON for scripts that asked for it. */
export function formatFailure(
  thrown: unknown,
  format: OutputFormat | undefined,
  debug: boolean,
  given?: GivenCluster,
): string {
  const error = failureData(thrown, given);
  if (format === "json") return `${JSON.stringify({ error })}\n`;
  const { code, message, hint } = error;
  const lines = [`error: ${visible(message)}`];
  if (hint) lines.push(`hint: ${visible(hint)}`);
  if (debug) lines.push(...stacks(thrown));
  else if (code === "internal")
    lines.push("hint: this is a defect of kubectl-fabric: KUBECTL_FABRIC_DEBUG=1 shows where, please report it");
  return `${lines.join("\n")}\n`;
}

function stacks(thrown: unknown): string[] {
  if (!(thrown instanceof Error)) return [];
  return [
    visible(thrown.stack ?? thrown.message),
    ...(thrown.cause === undefined ? [] : ["caused by:", ...stacks(thrown.cause)]),
  ];
}
