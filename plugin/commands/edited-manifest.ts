import type { EditedManifest, TemplateReport } from "../../core/injection/manifest/offline.ts";
import type { NamedText } from "../../core/injection/manifest/manifest-file.ts";
import type { Terminal } from "../terminal/io.ts";
import { visible } from "../terminal/visible.ts";
import type { GlobalOptions } from "./command.ts";

/** Prints a changed manifest, or what changed; what happened to each template goes to standard error. */
export async function printEdited(
  terminal: Terminal,
  options: GlobalOptions & { readonly diff: boolean },
  before: NamedText,
  after: EditedManifest,
): Promise<void> {
  for (const line of [...after.templates.flatMap(lines), ...after.notices.map((notice) => `notice: ${notice}`)]) {
    terminal.stderr.write(`${visible(line)}\n`);
  }
  if (after.templates.length === 0) terminal.stderr.write("notice: nothing in it has a Pod template\n");
  const text = options.diff ? await difference(before, after) : await rendered(options, after);
  // A manifest is for people only on a terminal, as a table is. In a pipe it is for kubectl, and stays as it is.
  const isText = options.diff || options.output === "table";
  const forPeople = options.output === "name" || (isText && terminal.stdout.isTTY === true);
  terminal.stdout.write(forPeople ? visible(text) : text);
}

function lines({ owner, result, detail, warnings }: TemplateReport): readonly string[] {
  return [`${owner}: ${result} (${detail})`, ...warnings.map((warning) => `warning: ${owner}: ${warning}`)];
}

async function difference({ text, source }: NamedText, after: EditedManifest): Promise<string> {
  if (!after.changed) return "";
  const { createTwoFilesPatch, FILE_HEADERS_ONLY } = await import("diff");
  return createTwoFilesPatch(source, source, text, after.text, "", "", {
    context: 3,
    headerOptions: FILE_HEADERS_ONLY,
  });
}

async function rendered({ output }: GlobalOptions, { text, objects, templates }: EditedManifest): Promise<string> {
  switch (output) {
    case "name":
      return templates
        .filter(({ result }) => result !== "unchanged")
        .map(({ owner }) => `${owner.toLowerCase().replace(" ", "/")}\n`)
        .join("");
    case "json":
      return (await import("../../core/injection/manifest/manifest.ts")).printObjects(objects, "json");
    case "yaml":
    case "table":
      return text;
  }
}
