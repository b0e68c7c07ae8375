// What the domain is asked for a command line: from its words, through the program's own commander, to the request. No command runs.
import { Readable, Writable } from "node:stream";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { optionsOf } from "../../../../plugin/commands/command.ts";
import { newProgram } from "../../../../plugin/program.ts";
import { chaincodeTables } from "./requests/chaincode.ts";
import { networkTables } from "./requests/network.ts";

const tables = { ...networkTables, ...chaincodeTables };

/** The program, whose commands tell only which of them was typed. */
function programWith(action: (command: Command) => void): Command {
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
  const { signal } = new AbortController();
  const program = newProgram({ stdout: sink, stderr: sink, stdin: Readable.from([]), env: {}, signal });
  for (const { command } of within(program)) command.action(() => action(command));
  return program;
}

interface Named {
  readonly name: string;
  readonly command: Command;
}

/** The commands below one, as "cleanup schedule". */
const within = (parent: Command, path = ""): readonly Named[] =>
  parent.commands.flatMap((command) => {
    const name = `${path}${command.name()}`;
    return [{ name, command }, ...within(command, `${name} `)];
  });

/** The command that a line names, with what the line gave it. */
async function parsed(line: string): Promise<Command> {
  const found: Command[] = [];
  const words = line.split(" ").map((word) => (word === "''" ? "" : word));
  await programWith((command) => void found.push(command)).parseAsync(words, { from: "user" });
  const [command] = found;
  if (!command) throw new Error(`expected a command in ${line}, found none`);
  return command;
}

describe.each(Object.entries(tables))("%s", (_, { request, rows }) => {
  test.each(rows)("%s", async (line, expected) => {
    expect(await request(await parsed(line))).toEqual(expected);
  });
});

describe("the tables", () => {
  const isGroup = ({ name }: Named) => ["webhook", "chaincode"].includes(name);
  const commands = within(programWith(() => {})).filter((named) => !isGroup(named));

  test("are of all commands", () => {
    expect(Object.keys(tables).toSorted()).toEqual(commands.map(({ name }) => name).toSorted());
  });

  test.each(commands)("have every option of $name", ({ name, command }) => {
    const words = new Set(tables[name]?.rows.flatMap(([line]) => line.split(" ")));
    const unsaid = command.options.filter(({ short, long }) => ![short, long].some((word) => words.has(word ?? "")));
    expect(unsaid.map(({ flags }) => flags)).toEqual([]);
  });
});

describe("a command below another that has options, too", () => {
  const commands = within(programWith(() => {}));

  test.each(commands)("$name has the defaults that its help says", ({ command }) => {
    expect(optionsOf(command)).toMatchObject(command.opts());
  });

  test.each([
    ["cleanup schedule", 120],
    ["cleanup schedule --timeout 7s", 7],
    ["cleanup --timeout 7s unschedule", 7],
    ["cleanup", 900],
  ])("%s ends after %i s", async (line, seconds) => {
    expect(optionsOf(await parsed(line))).toMatchObject({ timeout: seconds });
  });

  test.each([
    ["cleanup schedule --peer peer0.org1", "--peer", "schedule"],
    ["cleanup --peer peer0.org1 schedule", "--peer", "schedule"],
    ["cleanup schedule -y", "--yes", "schedule"],
    ["cleanup schedule --gone-peer peer9.org1 --org org1", "--gone-peer", "schedule"],
    ["cleanup unschedule --older-than 7d", "--older-than", "unschedule"],
  ])("%s is refused", async (line, option, name) => {
    await expect(parsed(line)).rejects.toMatchObject({
      code: "usage",
      message: `expected options of kubectl fabric cleanup ${name}, found ${option} of kubectl fabric cleanup`,
      hint: `leave ${option} out; kubectl fabric cleanup ${name} --help shows what there is`,
    });
  });
});

describe("the options of all commands", () => {
  const typed = "--kubeconfig file --context c --network trade -o json --verbose";
  const told = { kubeconfig: "file", context: "c", network: "trade", output: "json", verbose: true };

  test.each([
    ["status", { output: "table", verbose: false }],
    [`status ${typed}`, told],
    [`${typed} status`, told],
    [`webhook ${typed} status`, told],
  ])("%s", async (line, expected) => {
    expect(optionsOf(await parsed(line))).toEqual(expected);
  });
});
