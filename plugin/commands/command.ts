import type { Command } from "commander";
import type { Terminal } from "../terminal/io.ts";
import { FabricError } from "../../core/error.ts";
import type { OutputFormat } from "../terminal/output.ts";
import { kubectlFabric } from "../terminal/remedy.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly network?: string;
  readonly output: OutputFormat;
  readonly verbose: boolean;
}

/** Options of commands that change something step by step. */
export interface PlanOptions {
  readonly dryRun: boolean;
  /** Seconds. */
  readonly timeout: number;
}

/**
 * Adds one command to the program. Only what its line of `--help` needs may be imported at the top of its file:
 * the work is imported when the command runs.
 */
export type CommandDefinition = (program: Command, terminal: Terminal) => void;

/**
 * A command's options together with the global ones. Below a command that has options of its own, commander gives that one every
 * option it knows, wherever it was typed, and takes its default before ours (optsWithGlobals).
 */
export function optionsOf<T = object>(command: Command): GlobalOptions & T {
  const options: GlobalOptions & T = command.optsWithGlobals();
  const own = namesOf(command).filter((name) => command.getOptionValueSourceWithGlobals(name) === "default");
  return { ...options, ...Object.fromEntries(own.map((name) => [name, command.getOptionValue(name)])) };
}

const namesOf = ({ options }: Command): readonly string[] => options.map((option) => option.attributeName());

/** Refuses what was typed for the command above, as `cleanup` is above `cleanup schedule`, if the command itself has no such option. */
export function refuseForeign(program: Command, command: Command): void {
  const own = namesOf(command);
  for (let above = command.parent; above && above !== program; above = above.parent) {
    for (const option of above.options) {
      const name = option.attributeName();
      if (own.includes(name) || above.getOptionValueSource(name) !== "cli") continue;
      const said = option.long ?? option.flags;
      throw new FabricError("usage", `expected options of ${nameOf(command)}, found ${said} of ${nameOf(above)}`, {
        hint: `leave ${said} out; ${nameOf(command)} --help shows what there is`,
      });
    }
  }
}

/** Refuses an option together with its negation: else the last one wins silently. */
export function neverBoth(command: Command, name: string): void {
  let first: string | undefined;
  for (const said of [name, `no-${name}`]) {
    command.on(`option:${said}`, () => {
      first ??= said;
      if (first !== said) throw new FabricError("usage", `expected --${name} or --no-${name}, found both`);
    });
  }
}

/** A command whose result has only these formats: others are refused before it does anything. */
export function printsOnly(command: Command, formats: readonly OutputFormat[]): Command {
  return command.hook("preAction", () => expectFormat(command, formats));
}

/** Refuses empty options and names: usually a variable of the shell that is not set. A chaincode's arguments may be empty. */
export function refuseEmpty(_: Command, command: Command): void {
  for (let each: Command | null = command; each; each = each.parent) {
    for (const option of each.options) {
      const name = option.attributeName();
      const value: unknown = chaincodeArguments.has(name) ? undefined : each.getOptionValue(name);
      if (value === "" || (Array.isArray(value) && value.includes(""))) throw emptyValue(option.flags);
    }
  }
  for (const [index, argument] of command.registeredArguments.entries()) {
    const shown = argument.required ? `<${argument.name()}>` : `[${argument.name()}]`;
    if (!argument.variadic && command.args[index] === "") throw emptyValue(shown);
  }
}

const chaincodeArguments: ReadonlySet<string> = new Set(["args", "initArgs"]);

const emptyValue = (name: string): FabricError =>
  new FabricError("usage", `expected a value of ${name}, found ""`, {
    hint: "is a variable of the shell not set? Without a value leave it out",
  });

/** Throws `usage` when -o asks for another format. `doing`: the options with which the command has only these, for the message. */
export function expectFormat(command: Command, formats: readonly OutputFormat[], doing = ""): void {
  const { output, ...given } = optionsOf(command);
  if (formats.includes(output)) return;
  const name = `${nameOf(command)}${doing}`;
  const again = name.replace(/^kubectl fabric/, () => kubectlFabric(given));
  const [last, ...others] = formats.toReversed();
  const listed = others.length === 0 ? last : `${others.toReversed().join(", ")} or ${last}`;
  throw new FabricError("usage", `expected -o ${listed} of ${name}, found ${output}`, {
    hint: formats.includes("json") ? `${again} ... -o json` : `leave -o out: ${again}`,
  });
}

/** "kubectl fabric chaincode list" */
function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}
