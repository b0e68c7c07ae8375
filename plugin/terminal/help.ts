import {
  Command,
  type AddHelpTextContext,
  type AddHelpTextPosition,
  type Help,
  type HelpConfiguration,
  type Option,
} from "commander";
import { columnsOf, usualColumns } from "./columns.ts";
import { fittedExamples } from "./examples.ts";
import type { Terminal } from "./io.ts";
import { wrap } from "./wrap.ts";

/** A program whose help, and that of all its commands, is as wide as the terminal. */
export function newFittedProgram(name: string, terminal: Terminal): Command {
  const { stdout, stderr, env } = terminal;
  return new FittedCommand(name, terminal)
    .configureOutput({
      getOutHelpWidth: () => columnsOf(stdout, env) ?? usualColumns,
      getErrHelpWidth: () => columnsOf(stderr, env) ?? usualColumns,
    })
    .configureHelp(fitted);
}

/** A command that also wraps its examples: commander does not wrap text after its own help. */
class FittedCommand extends Command {
  readonly #terminal: Terminal;

  constructor(name: string, terminal: Terminal) {
    super(name);
    this.#terminal = terminal;
  }

  override createCommand(name = ""): Command {
    return new FittedCommand(name, this.#terminal);
  }

  override addHelpText(position: AddHelpTextPosition, text: string | ((context: AddHelpTextContext) => string)): this {
    if (typeof text !== "string") return super.addHelpText(position, text);
    const { stdout, env } = this.#terminal;
    return super.addHelpText(position, () => fittedExamples(text, columnsOf(stdout, env) ?? usualColumns));
  }
}

/** A description with less room beside its term is put below it. */
const narrowest = 28; // columns

const fitted: HelpConfiguration & Partial<Help> = {
  // Without arguments, which are in the subcommand's own help: they would leave no room for its description.
  subcommandTerm: (command) => command.name(),
  commandDescription: (command) => paragraphs(command.description()),
  optionDescription: (option) => paragraphs(describedOption(option)),
  formatItem(term, termWidth, description, helper) {
    const width = helper.helpWidth ?? usualColumns;
    const beside = width - termWidth - 4;
    if (!description) return `  ${term}`;
    if (beside >= narrowest) {
      return `  ${term.padEnd(termWidth)}  ${wrap(description, beside).join(`\n${" ".repeat(termWidth + 4)}`)}`;
    }
    return `  ${term}\n${wrap(description, width - 6)
      .map((line) => `      ${line}`)
      .join("\n")}`;
  },
};

/** Joins lines: a single line break in our texts only wraps the source. An empty line separates paragraphs. */
const paragraphs = (text: string): string => text.replaceAll(/(?<!\n)\n(?!\n)/g, " ");

/** Commander's description of an option, without the default `false`. */
function describedOption({ description, argChoices, defaultValue, defaultValueDescription }: Option): string {
  const said = [
    ...(argChoices ? [`choices: ${argChoices.join(", ")}`] : []),
    ...(defaultValue === undefined || defaultValue === false
      ? []
      : [`default: ${defaultValueDescription ?? String(defaultValue)}`]),
  ];
  return said.length === 0 ? description : `${description} (${said.join("; ")})`;
}
