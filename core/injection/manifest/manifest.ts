import { isDeepStrictEqual } from "node:util";
import type { Operation } from "fast-json-patch";
import jsonPatch, { escapePathComponent } from "fast-json-patch";
import { Document, LineCounter, stringify, YAMLParseError } from "yaml";
import { FabricError, messageOf } from "../../error.ts";
import { editDocument } from "./document-edit.ts";
import { parseYaml, valueOf, yamlOptions } from "./kubernetes-yaml.ts";
import type { Path } from "./pod-template.ts";
import { jsonOf, looksLikeJson, splitManifest } from "./split-manifest.ts";

/** A change to a part of a document: JSON patch operations over what stands at a path. */
export interface PartialEdit {
  readonly path: Path;
  readonly operations: readonly Operation[];
}

/** One document of a manifest. */
export interface ManifestDocument {
  /** Its part of the manifest's text, with its `---` line. */
  readonly text: string;
  /** The object that kubectl reads; null for an empty document. */
  readonly object: unknown;
  /** Keys that stand in a map more than once, with their lines in the manifest. */
  readonly repeated: readonly { readonly path: Path; readonly lines: readonly number[] }[];
}

/** A mark of the byte order, with which editors on Windows begin a text. kubectl passes over it. */
export const byteOrderMark = "\uFEFF";

/** A document after a change. */
export interface EditedText {
  readonly text: string;
  /** Whether comments and anchors are lost, because the change went through an anchor. */
  readonly rewritten: boolean;
}

/**
 * Splits a manifest: YAML with one or more documents, JSON, or several objects of JSON one after another. The documents' texts joined
 * are the manifest, without a byte order mark.
 * Throws `invalid` when the text is not YAML or JSON; the message names the source and the place.
 */
export function readManifest(text: string, source: string): readonly ManifestDocument[] {
  let line = 1;
  return splitManifest(text.startsWith(byteOrderMark) ? text.slice(1) : text).map((part) => {
    const document = readPart(part, source, line);
    line += part.split("\n").length - 1;
    return document;
  });
}

function readPart(text: string, source: string, first: number): ManifestDocument {
  const json = jsonOf(text);
  if (json !== undefined) return { text, object: json.value, repeated: [] };
  const lines = new LineCounter();
  try {
    const { value, repeated } = readYaml(text, lines);
    const lineOf = (offset: number): number => first - 1 + lines.linePos(offset).line;
    return {
      text,
      object: value,
      repeated: repeated.map(({ path, offsets }) => ({ path, lines: offsets.map(lineOf) })),
    };
  } catch (cause) {
    throw looksLikeJson(text) ? notJson(text, source) : notYaml(text, source, placed(cause, first), cause);
  }
}

/** Throws what the library throws, or the first error of the document. */
function readYaml(text: string, lines?: LineCounter) {
  const document = parseYaml(text, lines);
  const [error] = document.errors;
  if (error !== undefined) throw error;
  return { document, ...valueOf(document) };
}

/** Changes parts of a document. Keeps comments and layout as far as the YAML library does. */
export function editManifest(
  { text, object }: Pick<ManifestDocument, "text" | "object">,
  edits: readonly PartialEdit[],
): EditedText {
  const expected: unknown = jsonPatch.applyPatch(
    unshared(object),
    edits.flatMap(({ path, operations }) => operations.map((operation) => below(path, operation))),
    true,
  ).newDocument;
  const json = jsonOf(text);
  if (json !== undefined) {
    const printed = `${json.before}${JSON.stringify(expected, null, jsonIndent(json.text))}${json.after}`;
    return { text: text.includes("\r\n") ? printed.replace(/\r?\n/g, "\r\n") : printed, rewritten: false };
  }
  // The library would move a comment out of this line.
  const header = /^---[ \t]*(?:#[^\n]*)?\r?\n/.exec(text)?.[0] ?? "";
  const body = text.slice(header.length);
  const edited = keepLayout(body, edits);
  if (edited !== undefined && isDeepStrictEqual(readYaml(edited).value, expected))
    return ends(text, header + edited, false);
  const rewritten = new Document(expected, yamlOptions).toString(layoutOf(text));
  // A key "<<" would be a merge key: JSON is YAML, too, and says what it means.
  const same = isDeepStrictEqual(readYaml(rewritten).value, expected);
  return ends(text, header + (same ? rewritten : `${JSON.stringify(expected, null, 2)}\n`), true);
}

/** A copy in which every alias has a value of its own. */
function unshared(object: unknown): unknown {
  return JSON.parse(JSON.stringify(object)) as unknown;
}

/** The same operation over the whole document. */
function below(path: Path, operation: Operation): Operation {
  const base = path.map((key) => `/${escapePathComponent(String(key))}`).join("");
  return structuredClone({ ...operation, path: `${base}${operation.path}` });
}

/** Undefined when an edit is not possible in place: it leads through an alias or a merge key. */
function keepLayout(text: string, edits: readonly PartialEdit[]): string | undefined {
  const { document } = readYaml(text);
  const possible = edits.every(({ path, operations }) =>
    operations.every((operation) => editDocument(document, path, operation)),
  );
  if (!possible) return undefined;
  // The version is for reading; a directive %YAML in the result would be a change that nobody asked for.
  if (document.directives !== undefined && !/^%YAML/m.test(text)) document.directives.yaml.explicit = false;
  return document.toString(layoutOf(text));
}

/** Keeps the line ends, and a missing one at the end of the text. */
function ends(before: string, after: string, rewritten: boolean): EditedText {
  const text = before.endsWith("\n") ? after : after.replace(/\n$/, "");
  return { text: before.includes("\r\n") ? text.replace(/\r?\n/g, "\r\n") : text, rewritten };
}

/** The layout of a text, by the first indentation, list and flow collection in it. */
function layoutOf(text: string) {
  const indent = /^[\w"'][^\n]*:[ \t]*\r?\n( {1,8})[\w"']/m.exec(text)?.[1]?.length ?? 2;
  return {
    lineWidth: 0,
    indent,
    indentSeq: !/^( *)[\w."'/-]+:[ \t]*(?:#[^\n]*)?\r?\n\1- /m.test(text),
    // By the first flow collection that is a value: brackets inside a string do not count.
    flowCollectionPadding: /[:-] [{[]( ?)[^\s{}[\]]/.exec(text)?.[1] !== "",
  };
}

function jsonIndent(text: string): string | number {
  return /^\{\r?\n([ \t]+)"/.exec(text)?.[1] ?? 0;
}

function notJson(text: string, source: string): FabricError {
  try {
    JSON.parse(text);
    return new FabricError("internal", `expected text that is no JSON in ${source}`);
  } catch (cause) {
    return new FabricError("invalid", `${source} begins like JSON and is none: ${messageOf(cause)}`, { cause });
  }
}

/** An error's sentence, with its place in the manifest where it has one: the library counts lines from the document's begin. */
function placed(error: unknown, first: number): string {
  // The stack is at its end for a text that is nested very deep.
  if (error instanceof RangeError) return "it is nested too deep";
  if (!(error instanceof YAMLParseError)) return messageOf(error);
  const [position] = error.linePos ?? [];
  const sentence = error.message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? "";
  return position === undefined ? sentence : `line ${first - 1 + position.line}: ${sentence}`;
}

function notYaml(text: string, source: string, what: string, cause: unknown): FabricError {
  const template = {
    hint: [
      "is it a Helm template? Render it first: helm template ... | ",
      { operation: "inject", with: { file: "-" } },
    ],
  } as const;
  return new FabricError("invalid", `${source} is not YAML: ${what}`, {
    ...(text.includes("{{") ? template : {}),
    cause,
  });
}

/** Objects as JSON or YAML; several as a List. */
export function printObjects(objects: readonly unknown[], format: "json" | "yaml"): string {
  const [only] = objects;
  const whole = objects.length === 1 ? only : { apiVersion: "v1", kind: "List", items: objects };
  return format === "json" ? `${JSON.stringify(whole, null, 2)}\n` : stringify(whole, yamlOptions);
}
