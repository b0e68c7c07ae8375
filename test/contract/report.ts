import { relative } from "node:path";
import type { TestError } from "vitest";
import type { TestCase, TestModule, TestProject } from "vitest/node";

type State = "passed" | "failed" | "skipped" | "pending";

/** Prints which case came out how in which column, when all have run, and then why: a long log is read from its end. */
export function setup({ vitest }: TestProject): () => void {
  return () => {
    const modules = vitest.state.getTestModules();
    process.stdout.write(`${reportOf(modules)}\n${failuresOf(modules)}`);
  };
}

/** Tests are `column > area > case`. */
export function reportOf(modules: readonly TestModule[]): string {
  const cases = testsOf(modules).map(entryOf);
  const columns = [...new Set(cases.map(({ column }) => column))];
  const names = [...new Set(cases.map(({ name }) => name))];
  const stateIn = new Map(cases.map(({ column, name, state }) => [`${column}\n${name}`, state]));
  const rows = names.map((name) => [name, ...columns.map((column) => stateIn.get(`${column}\n${name}`) ?? "-")]);
  const counts = columns.map((column) => countsOf(cases.filter((entry) => entry.column === column)));
  return tableOf([["case", ...columns], ...rows, [`${names.length} cases`, ...counts]]);
}

/** What each case met that failed: several errors where its hooks failed, too. */
export function failuresOf(modules: readonly TestModule[]): string {
  return testsOf(modules)
    .flatMap((test) => {
      const { state, errors = [] } = test.result();
      const told = errors.map((error, index) => `  ${index + 1}: ${whatOf(error)}\n`);
      return told.length === 0 ? [] : [`${state}: ${test.fullName}\n`, ...told];
    })
    .join("");
}

/** The message and the line of the test that met it. */
function whatOf({ message, stacks = [] }: TestError): string {
  const [place] = stacks;
  return place ? `${message} (${relative(".", place.file)}:${place.line})` : message;
}

function testsOf(modules: readonly TestModule[]): readonly TestCase[] {
  return modules
    .filter(({ project }) => project.name === "contract")
    .flatMap((module) => [...module.children.allTests()]);
}

interface Entry {
  readonly column: string;
  readonly name: string;
  readonly state: State;
}

function entryOf(test: TestCase): Entry {
  const [column = "", ...name] = test.fullName.split(" > ");
  return { column, name: name.join(" > "), state: test.result().state };
}

function countsOf(cases: readonly Entry[]): string {
  const count = (state: State): number => cases.filter((entry) => entry.state === state).length;
  const told = (["passed", "failed", "skipped", "pending"] as const).filter((state) => count(state) > 0);
  return told.map((state) => `${count(state)} ${state}`).join(", ");
}

function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  return rows.map((row) => row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(" | ")).join("\n");
}
