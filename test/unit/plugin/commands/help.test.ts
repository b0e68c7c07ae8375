// Help is as wide as the terminal: no line is longer, unless it is one word, and none ends before it has to.
import { Readable, Writable } from "node:stream";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { newProgram } from "../../../../plugin/program.ts";

interface Seen {
  readonly env?: Readonly<Record<string, string>>;
  readonly tty?: { readonly columns: number };
}

function programOf({ env = {}, tty }: Seen = {}) {
  const written = { text: "" };
  const write = (chunk: Buffer, _: string, done: () => void) => (done(), void (written.text += chunk.toString()));
  const stdout = Object.assign(new Writable({ write }), tty ? { isTTY: true, columns: tty.columns } : {});
  const { signal } = new AbortController();
  const stderr = new Writable({ write });
  return { program: newProgram({ stdout, stderr, stdin: Readable.from([]), env, signal }), written };
}

async function helpOf(path: readonly string[], seen: Seen): Promise<readonly string[]> {
  const { program, written } = programOf(seen);
  await program.parseAsync([...path, "--help"], { from: "user" }).catch(() => {});
  return written.text.split("\n");
}

function pathsOf(command: Command, path: readonly string[] = []): readonly (readonly string[])[] {
  return [path, ...command.commands.flatMap((child) => pathsOf(child, [...path, child.name()]))];
}

const paths = pathsOf(programOf().program).map((path) => ({ name: ["kubectl fabric", ...path].join(" "), path }));
const widest = (lines: readonly string[]): number => Math.max(...lines.map(({ length }) => length));
/** One word cannot be broken, and the usage line is commander's own. */
const breakable = (line: string): boolean => /\S\s+\S/.test(line.replace(/ \\$/, "")) && !line.startsWith("Usage:");

describe.each([60, 80, 100, 140])("in %i columns", (columns) => {
  test.each(paths)("no line of $name is longer", async ({ path }) => {
    const lines = await helpOf(path, { env: { COLUMNS: String(columns) } });
    expect(lines.filter((line) => line.length > columns && breakable(line))).toEqual([]);
  });

  test.each(paths)("the description of $name is not ragged", async ({ path }) => {
    const [, , ...lines] = await helpOf(path, { env: { COLUMNS: String(columns) } });
    const end = lines.findIndex((line) => /^(Arguments|Options|Commands|Examples):$/.test(line));
    const text = lines.slice(0, end);
    const short = text.filter((line, index) => {
      const [word = ""] = (text[index + 1] ?? "").split(" ");
      return line !== "" && word !== "" && line.length + 1 + word.length <= columns;
    });
    expect(short).toEqual([]);
  });
});

describe.each([60, 80, 100, 140])("in %i columns, below the examples", (columns) => {
  test("the text of inject is not ragged", async () => {
    const lines = await helpOf(["inject"], { env: { COLUMNS: String(columns) } });
    const text = lines.slice(lines.findIndex((line) => line.startsWith("The manifest goes to")));
    const short = text.slice(0, -2).filter((line, index) => {
      const [word = ""] = (text[index + 1] ?? "").split(" ");
      return word !== "" && line.length + 1 + word.length <= columns;
    });
    expect(short).toEqual([]);
  });
});

describe("the width of help", () => {
  const width = async (seen: Seen) => widest((await helpOf(["cleanup"], seen)).slice(2, 8));

  test("is that of COLUMNS, before the terminal's", async () => {
    expect(await width({ env: { COLUMNS: "60" }, tty: { columns: 200 } })).toBeLessThanOrEqual(60);
  });

  test("is the terminal's", async () => {
    const wide = await width({ tty: { columns: 130 } });
    expect(wide).toBeLessThanOrEqual(130);
    expect(wide).toBeGreaterThan(100);
  });

  test.each(["", "0", "-5", "wide"])("is 80 in a pipe, and with COLUMNS=%j", async (value) => {
    for (const env of [{}, { COLUMNS: value }]) {
      const found = await width({ env });
      expect(found).toBeLessThanOrEqual(80);
      expect(found).toBeGreaterThan(60);
    }
  });
});

describe("an example that is too long", () => {
  test("has its comment above, and goes on where a shell goes on", async () => {
    const text = (await helpOf(["deploy-cc"], { env: { COLUMNS: "60" } })).join("\n");
    expect(text).toContain("  # no build in any peer\n  kubectl fabric deploy-cc asset -C mychannel \\\n");
    expect(text).toContain(`\n      --policy "OR('Org1MSP.peer','Org2MSP.peer')"\n`);
  });

  test("says the same commands in any width", async () => {
    const commandsIn = async (columns: number) =>
      (await helpOf(["deploy-cc"], { env: { COLUMNS: String(columns) } }))
        .join("\n")
        .replaceAll(/ \\\n\s+/g, " ")
        .split("\n")
        .filter((line) => line.startsWith("  kubectl"))
        .map((line) => line.replace(/ {3,}.*/, ""));
    const wide = await commandsIn(200);
    expect(wide.length).toBeGreaterThan(5);
    for (const columns of [50, 60, 80, 100]) expect(await commandsIn(columns)).toEqual(wide);
  });
});

test("help says no default that is none", async () => {
  for (const { path } of paths) expect((await helpOf(path, {})).join("\n")).not.toContain("default: false");
});
