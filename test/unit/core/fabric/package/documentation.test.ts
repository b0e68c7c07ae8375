// What docs/packages.md says of ignore files is what the code does.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { packageRules, type PackageRule } from "../../../../../core/fabric/package/package-rules.ts";

const page = readFileSync(join(import.meta.dirname, "../../../../../docs/packages.md"), "utf8");
const names = { golang: "Go", node: "Node", java: "Java" } as const;

const row = ({ what, effect, languages, why }: PackageRule): string => {
  const of = languages.length === 3 ? "all" : languages.map((language) => names[language]).join(", ");
  return `| ${what} | ${effect} | ${of} | ${why} |`;
};

test("the table of rules is the code's", () => {
  const [, table = ""] = page.split("| what | effect | languages | why |\n|-|-|-|-|\n");
  expect(table.split("\n\n")[0]?.split("\n")).toEqual(packageRules.map(row));
});
