import { isDeepStrictEqual } from "node:util";
import type { Operation } from "fast-json-patch";
import jsonPatch, { escapePathComponent } from "fast-json-patch";
import { Document, parseDocument, stringify, type Tags, type YAMLParseError } from "yaml";
import { FabricError, messageOf } from "../../error.ts";
import { editDocument } from "./document-edit.ts";
import type { Path } from "./pod-template.ts";

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
}

/** A document after a change. */
export interface EditedText {
  readonly text: string;
  /** Whether comments and anchors are lost, because the change went through an anchor. */
  readonly rewritten: boolean;
}

/*
 * kubectl reads YAML 1.1 (sigs.k8s.io/yaml): `n` and `off` are booleans, 0644 is octal. It knows neither dates nor numbers to
 * base 60.
 */
const yamlOptions = {
  version: "1.1",
  customTags: (tags: Tags): Tags =>
    tags.filter((tag) => typeof tag === "string" || (tag.tag !== "tag:yaml.org,2002:timestamp" && !isSexagesimal(tag))),
} as const;

function isSexagesimal(tag: object): boolean {
  return "format" in tag && tag.format === "TIME";
}

/**
 * Splits a manifest: YAML with one or more documents, or JSON. The documents' texts joined are the manifest.
 * Throws `invalid` when the text is not YAML or JSON; the message names the source and the place.
 */
export function readManifest(text: string, source: string): readonly ManifestDocument[] {
  if (isJson(text)) return [{ text, object: parseJson(text, source) }];
  // A line that begins with `---` begins a document wherever it stands (YAML 1.2.2, 9.1.2).
  const texts = text.split(/^(?=---(?:\s|$))/m);
  let line = 0;
  return texts.map((part) => {
    const object = objectOf(parse(part), source, line);
    line += part.split("\n").length - 1;
    return { text: part, object };
  });
}

/** Changes parts of a document. Keeps comments and layout as far as the YAML library does. */
export function editManifest({ text, object }: ManifestDocument, edits: readonly PartialEdit[]): EditedText {
  const expected: unknown = jsonPatch.applyPatch(
    unshared(object),
    edits.flatMap(({ path, operations }) => operations.map((operation) => below(path, operation))),
    true,
  ).newDocument;
  if (isJson(text)) return { text: `${JSON.stringify(expected, null, jsonIndent(text))}\n`, rewritten: false };
  const edited = keepLayout(text, edits);
  if (edited !== undefined && isDeepStrictEqual(parse(edited).toJS(), expected)) return ends(text, edited, false);
  const header = /^---[^\n]*\n/.exec(text)?.[0] ?? "";
  const rewritten = new Document(expected, yamlOptions);
  return ends(text, `${header}${rewritten.toString(layoutOf(text))}`, true);
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
  const document = parse(text);
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

function isJson(text: string): boolean {
  return /^\s*\{/.test(text);
}

function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FabricError("invalid", `${source} begins like JSON and is none: ${messageOf(cause)}`, { cause });
  }
}

function jsonIndent(text: string): string | number {
  return /^\s*\{\r?\n([ \t]+)"/.exec(text)?.[1] ?? 0;
}

function parse(text: string) {
  return parseDocument(text, yamlOptions);
}

function objectOf(document: ReturnType<typeof parse>, source: string, linesBefore: number): unknown {
  const [error] = document.errors;
  if (error !== undefined) throw notYaml(source, placed(error, linesBefore), error);
  try {
    return document.toJS() as unknown;
  } catch (cause) {
    throw notYaml(source, messageOf(cause), cause); // an alias without its anchor, or far too many of them
  }
}

/** An error's place in the manifest: the library counts lines from the document's begin. */
function placed(error: YAMLParseError, linesBefore: number): string {
  const [position] = error.linePos ?? [];
  const sentence = error.message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? "";
  return position === undefined ? sentence : `line ${linesBefore + position.line}: ${sentence}`;
}

function notYaml(source: string, what: string, cause: unknown): FabricError {
  return new FabricError("invalid", `${source} is not YAML: ${what}`, {
    hint: [
      "is it a Helm template? Render it first: helm template ... | ",
      { operation: "inject", with: { file: "-" } },
    ],
    cause,
  });
}

/** Objects as JSON or YAML; several as a List. */
export function printObjects(objects: readonly unknown[], format: "json" | "yaml"): string {
  const [only] = objects;
  const whole = objects.length === 1 ? only : { apiVersion: "v1", kind: "List", items: objects };
  return format === "json" ? `${JSON.stringify(whole, null, 2)}\n` : stringify(whole, { version: "1.1" });
}
