import { Readable, Writable } from "node:stream";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { newProgram } from "../../../../plugin/program.ts";
import { typedAs } from "../../../typed-as.ts";

/** A terminal that remembers what was written to it. */
function terminal() {
  const written = { stdout: "", stderr: "" };
  const collect = (name: keyof typeof written) =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        written[name] += chunk.toString();
        done();
      },
    });
  const io = {
    stdout: collect("stdout"),
    stderr: collect("stderr"),
    stdin: Readable.from([]),
    env: {},
    signal: new AbortController().signal,
  };
  return { io, written };
}

async function run(...argv: readonly string[]) {
  const { io, written } = terminal();
  const error: unknown = await newProgram(io)
    .parseAsync([...argv], { from: "user" })
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  return { ...written, error };
}

function leaves(command: Command, path: readonly string[] = []): readonly (readonly string[])[] {
  if (command.commands.length === 0) return [path];
  return command.commands.flatMap((child) => leaves(child, [...path, child.name()]));
}

describe("the command line", () => {
  const commands = leaves(newProgram(terminal().io));

  test("there are commands", () => {
    expect(commands.length).toBeGreaterThan(9);
  });

  test.each(commands.map((path) => [path.join(" "), path] as const))(
    "%s --help has an example of itself",
    async (name, path) => {
      const { stdout } = await run(...path, "--help");
      const [, examples = ""] = stdout.split("Examples:\n");
      expect(examples).toContain(`kubectl fabric ${name}`);
    },
  );

  test.each([
    ["an unknown command", ["innit"], /unknown command 'innit'[^]*Did you mean init/],
    ["an unknown option", ["init", "--peer", "2"], /unknown option '--peer'/],
    ["a count that is none", ["init", "--peers", "many"], /Expected a whole number from 1 to 99\./],
    ["a duration that is none", ["join", "c", "--timeout", "soon"], /Expected a time like 30s, 5m, 1h or 7d/],
    ["an empty name in a list", ["init", "--peer-orgs", "a,,b"], /names separated by commas/],
    ["a missing channel", ["join"], /missing required argument 'channel'/],
    ["a missing option", ["deploy-cc", "asset"], /required option '-C, --channel <name>' not specified/],
    [
      "arguments that are no JSON",
      ["query", "a", "-C", "c", "--args", '{"Args":[f]}'],
      /expected arguments as JSON: a value, found "f" at line 1, column 10 of \{"Args":\[f\]\}/,
    ],
    [
      "arguments of Init that are no JSON",
      ["deploy-cc", "a", "-C", "c", "--init-args", "[a]"],
      /expected arguments as JSON: a value, found "a" at line 1, column 2 of \[a\]/,
    ],
    ["both --org and --orgs", ["deploy-cc", "a", "-C", "c", "--org", "a", "--orgs", "b"], /cannot be used with option/],
    ["an output format", ["status", "-o", "xml"], /Allowed choices are table, json, yaml, name/],
  ])("%s is a usage error with a hint", async (_, argv, message) => {
    const { stderr, error } = await run(...argv);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/hint: add --help/);
    expect(error).toMatchObject({ exitCode: 1 });
  });

  test("without a cluster: what was expected, what was found, what to do", async () => {
    const { error } = await run("status", "--kubeconfig", "/no/such/file");
    expect(error).toMatchObject({
      code: "usage",
      message: "expected a kubeconfig at /no/such/file, found no such file",
      hint: typedAs(expect.stringContaining("--kubeconfig")),
    });
  });
});
