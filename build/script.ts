import { Command, CommanderError } from "commander";
import { FabricError, messageOf } from "../core/error.ts";
import { exitCodes, exitCodeOf } from "../plugin/terminal/failure.ts";
import { newLifetime, type Lifetime } from "./lifetime.ts";

/** A script of this project: what `npm run NAME` runs. */
export interface Script {
  /** Its command line, made by `scriptCommand`; actions begin what they need in the lifetime. */
  readonly command: (lifetime: Lifetime) => Command;
  /** What may be left of a script that was ended at once, and what to type then. Asked for only then. */
  readonly leftovers: () => string;
}

/** The command line of a script, so far: `run` is what a person types. */
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
 * A terminal sends Ctrl-C to npm and to the script, and npm passes it on: a second signal within so many milliseconds is the first.
 */
const sameStop = 500;

/** Runs a script, to the exit of this process. SIGINT, SIGTERM and SIGHUP stop it in order; a second one ends it at once. */
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
  // Nobody waits for what failed: all the same it is a failure, after which things have to end in order. After a stop it is none.
  process.on("uncaughtException", (error) => {
    if (over) process.exitCode = report(error, stop.signal);
    else stop.abort(error);
  });
  try {
    await live(command, stop.signal);
    // Also what came while things were being ended.
    stop.signal.throwIfAborted();
  } catch (thrown) {
    process.exitCode = report(thrown, stop.signal);
  }
  over = true;
  // Work that was given up may still wait for something.
  if (stop.signal.aborted) process.exit();
}

async function live(command: Script["command"], signal: AbortSignal): Promise<void> {
  await using lifetime = newLifetime(signal);
  await command(lifetime).parseAsync();
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Gives the exit code. */
function report(thrown: unknown, { aborted, reason }: AbortSignal): number {
  const [first, ...others] = failuresIn(thrown);
  // Commander has told what is wrong; showing help is no failure.
  if (first instanceof CommanderError) return first.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  // What fails because it is stopped says so in many ways.
  const failure: unknown = aborted ? reason : first;
  tell(failure, "");
  for (const other of others) tell(other, "not everything was ended: ");
  return others.length > 0 ? exitCodes.failed : exitCodeOf(failure);
}

function tell(thrown: unknown, where: string): void {
  say(`error: ${where}${messageOf(thrown)}`);
  if (thrown instanceof FabricError && thrown.hint !== undefined) say(`hint: ${thrown.hint}`);
  if (process.env["KUBECTL_FABRIC_DEBUG"] === "1" && thrown instanceof Error) say(thrown.stack ?? "");
}

/** In the order in which they happened: what fails while things end comes with what was thrown before. */
function failuresIn(thrown: unknown): readonly unknown[] {
  if (!(thrown instanceof SuppressedError)) return [thrown];
  return [...failuresIn(thrown.suppressed), ...failuresIn(thrown.error)];
}
