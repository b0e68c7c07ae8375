import { Command, CommanderError } from "commander";
import { FabricError, messageOf } from "../core/error.ts";
import { exitCodes, exitCodeOf } from "../plugin/terminal/failure.ts";
import { typed } from "../plugin/terminal/remedy.ts";
import { newLifetime, type Lifetime } from "./lifetime.ts";

/** A script of this project, run by `npm run NAME`. */
export interface Script {
  /** Its command line, made by `scriptCommand`. Actions begin servers, processes and folders in the lifetime. */
  readonly command: (lifetime: Lifetime) => Command;
  /** What a script that was ended at once may leave, and what to type then. Called only then. */
  readonly leftovers: () => string;
}

/** The command line of a script, without its options and action. `run` is what a person types. */
export function scriptCommand(run: string): Command {
  return new Command(run)
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .showSuggestionAfterError()
    .allowExcessArguments(false)
    .configureOutput({
      outputError: (text, write) => write(`${text.trimEnd()}\nhint: add --help to see what is possible\n`),
    })
    .exitOverride();
}

/**
 * A terminal sends Ctrl-C to npm and to the script, and npm passes it on: a second signal within so many milliseconds is ignored.
 */
const sameStop = 500;

/** Runs a script until this process ends. SIGINT, SIGTERM and SIGHUP stop it with cleanup; a second one ends it at once. */
export async function runScript({ command, leftovers }: Script): Promise<void> {
  const stop = new AbortController();
  let stopped: number | undefined;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (stopped === undefined) {
        stopped = performance.now();
        stop.abort(new FabricError("interrupted", `stopped by ${name}`));
        say("stopping: a second Ctrl-C ends at once");
      } else if (performance.now() - stopped > sameStop) {
        say(`ended at once. ${leftovers()}`);
        process.exit(exitCodes.interrupted);
      }
    });
  }
  let over = false;
  // A failure outside of the awaited work stops the script too, with cleanup. After a stop it is ignored.
  process.on("uncaughtException", (error) => {
    if (over) process.exitCode = report(error, stop.signal);
    else stop.abort(error);
  });
  try {
    await live(command, stop.signal);
    // A failure or a signal may have come during the cleanup.
    stop.signal.throwIfAborted();
  } catch (thrown) {
    process.exitCode = report(thrown, stop.signal);
  }
  over = true;
  // Abandoned work may still keep the process alive.
  if (stop.signal.aborted) process.exit();
}

async function live(command: Script["command"], signal: AbortSignal): Promise<void> {
  await using lifetime = newLifetime(signal);
  await command(lifetime).parseAsync();
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Writes the failures; returns the exit code. */
function report(thrown: unknown, { aborted, reason }: AbortSignal): number {
  const [first, ...others] = failuresIn(thrown);
  // Commander has told what is wrong; showing help is no failure.
  if (first instanceof CommanderError) return first.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  // After a stop, work fails with many different errors: only the signal's reason counts.
  const failure: unknown = aborted ? reason : first;
  tell(failure, "");
  for (const other of others) tell(other, "not everything was ended: ");
  return others.length > 0 ? exitCodes.failed : exitCodeOf(failure);
}

function tell(thrown: unknown, where: string): void {
  say(`error: ${where}${messageOf(thrown)}`);
  if (thrown instanceof FabricError && thrown.hint !== undefined) say(`hint: ${typed(thrown.hint)}`);
  if (process.env["KUBECTL_FABRIC_DEBUG"] === "1" && thrown instanceof Error) say(thrown.stack ?? "");
}

/** The failures in their order: a SuppressedError has one of the cleanup, and the one before it. */
function failuresIn(thrown: unknown): readonly unknown[] {
  if (!(thrown instanceof SuppressedError)) return [thrown];
  return [...failuresIn(thrown.suppressed), ...failuresIn(thrown.error)];
}
