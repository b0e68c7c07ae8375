/*
 * Where one document ends and the next one begins, as kubectl sees it (apimachinery/pkg/util/yaml/decoder.go): lines that begin with
 * `---`, and JSON objects one after another.
 */

/** JSON, with what stands around it: a line `---`, and space. */
export interface JsonText {
  readonly before: string;
  readonly value: unknown;
  readonly text: string;
  readonly after: string;
}

/** Reads a document that is JSON; undefined for others. */
export function jsonOf(text: string): JsonText | undefined {
  const before = /^(?:---[^\n]*\n)?\s*/.exec(text)?.[0] ?? "";
  if (text[before.length] !== "{") return undefined;
  const json = text.slice(before.length).trimEnd();
  try {
    return { before, value: JSON.parse(json), text: json, after: text.slice(before.length + json.length) };
  } catch {
    return undefined;
  }
}

export function looksLikeJson(text: string): boolean {
  return /^(?:---[^\n]*\n)?\s*\{/.test(text);
}

/** The documents' texts, which joined are the manifest. */
export function splitManifest(text: string): readonly string[] {
  const objects: string[] = [];
  let done = 0;
  for (;;) {
    const end = endOfObject(text, done);
    const json = end === undefined ? undefined : text.slice(done, end);
    if (json === undefined || jsonOf(json) === undefined) break;
    objects.push(json);
    done = end ?? text.length;
  }
  const rest = text.slice(done);
  if (objects.length === 0) return yamlDocuments(text);
  if (rest.trim() === "") return [...objects.slice(0, -1), `${objects.at(-1) ?? ""}${rest}`];
  // What stands before the next `---` belongs to the object.
  const [space = ""] = /^\s*/.exec(rest) ?? [];
  return [...objects.slice(0, -1), `${objects.at(-1) ?? ""}${space}`, ...yamlDocuments(rest.slice(space.length))];
}

/** Where the JSON object ends that begins at an offset, after space; undefined when none does. */
function endOfObject(text: string, start: number): number | undefined {
  if (!startsObject(text, start)) return undefined;
  const tokens = /["{}]|\\./gs;
  tokens.lastIndex = start;
  let depth = 0;
  let inText = false;
  for (let token = tokens.exec(text); token !== null; token = tokens.exec(text)) {
    if (token[0] === '"') inText = !inText;
    else if (inText || token[0].startsWith("\\")) continue;
    else depth += token[0] === "{" ? 1 : -1;
    if (depth === 0 && !inText && token[0] === "}") return token.index + 1;
  }
  return undefined;
}

function startsObject(text: string, start: number): boolean {
  const first = /\s*/y;
  first.lastIndex = start;
  first.test(text);
  return text[first.lastIndex] === "{";
}

function yamlDocuments(text: string): readonly string[] {
  // A line that begins with `---` begins a document wherever it stands (YAML 1.2.2, 9.1.2).
  const documents: string[] = [];
  let directives = "";
  for (const part of text.split(/^(?=---(?:\s|$))/m)) {
    if (isDirectives(part)) {
      directives += part;
      continue;
    }
    documents.push(directives + part);
    directives = "";
  }
  return directives === "" ? documents : [...documents, directives];
}

/** Directives, with comments and empty lines, belong to the document after them. */
function isDirectives(part: string): boolean {
  return /^%/m.test(part) && part.split("\n").every((line) => /^(?:%.*|\s*(?:#.*)?)\r?$/.test(line));
}
