#!/usr/bin/env node
import { CommanderError } from "commander";
import { FabricError } from "../core/error.ts";
import { checkNodeVersion } from "./node-version.ts";
import { newProgram } from "./program.ts";
import { defectOf, exitCodes, exitCodeOf, formatFailure } from "./terminal/failure.ts";
import type { OutputFormat } from "./terminal/output.ts";
import type { GivenCluster } from "./terminal/remedy.ts";

const interrupt = new AbortController();
let interrupts = 0;
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    interrupts += 1;
    // Once: finish cleanly. Twice: somebody means it.
    if (interrupts > 1) process.exit(exitCodes.interrupted);
    interrupt.abort(new FabricError("interrupted", `stopped by ${name}`));
  });
}
/** Of a pipe without a reader, and of a terminal that was closed. */
const unreadable: ReadonlySet<string | undefined> = new Set(["EPIPE", "EIO"]);
// The reader of a pipe has gone (`| head`): nothing is left to say, and what only says something ends, in order.
let unread = false;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (!unreadable.has(error.code)) process.exit(exitCodes.failed);
  unread = true;
  interrupt.abort(new FabricError("interrupted", "nobody reads the output any more"));
});
// Nobody watches (`2>&1 | head`): what is being done is done to its end, and the exit code tells of it.
process.stderr.on("error", (error: NodeJS.ErrnoException) => {
  if (!unreadable.has(error.code)) process.exit(exitCodes.failed);
});

const { stdout, stderr, stdin, env } = process;
const program = newProgram({ stdout, stderr, stdin, env, signal: interrupt.signal });

// Node itself would print our minified source and a stack. What else is under way is not waited for: it may hang on what failed.
for (const name of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(name, (thrown: unknown) => {
    report(defectOf(thrown));
    process.exit(exitCodes.failed);
  });
}

try {
  checkNodeVersion(process.versions.node);
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(thrown: unknown): number {
  // It has said so already.
  if (thrown instanceof CommanderError) return exitCodeOf(thrown);
  if (unread && thrown instanceof FabricError && thrown.code === "interrupted") return exitCodes.done;
  const { output, ...given } = program.opts<{ output?: OutputFormat } & GivenCluster>();
  stderr.write(formatFailure(thrown, output, env["KUBECTL_FABRIC_DEBUG"] === "1", given));
  return interrupt.signal.aborted ? exitCodes.interrupted : exitCodeOf(thrown);
}
