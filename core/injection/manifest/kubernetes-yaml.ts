import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Pair,
  type Scalar,
  type ScalarTag,
  type Tags,
  type YAMLMap,
} from "yaml";
import type { Path } from "./pod-template.ts";

/*
 * YAML as kubectl and Helm read it: sigs.k8s.io/yaml 1.6 over go.yaml.in/yaml/v2 2.4. It is YAML 1.1 (`n` and `off` are booleans, 0644 is
 * octal) without dates and numbers to base 60, with 0o17, the last of two equal keys, and merge keys that count where they stand.
 */

const tagPrefix = "tag:yaml.org,2002:";

/** resolve.go, by strconv.ParseInt with base 0, after underscores are gone. */
const wholePattern =
  /^(?:[-+]_*)?(?:0_*[xX]_*[0-9a-fA-F][0-9a-fA-F_]*|0_*[oO]_*[0-7][0-7_]*|0_*[bB]_*[01][01_]*|0[0-7_]*|[1-9][0-9_]*)$/;
/** resolve.go, yamlStyleFloat. */
const decimalPattern =
  /^(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|(?:[-+]_*\.[0-9_]+|(?:[-+]_*)?[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?_*[0-9][0-9_]*)?)$/;
const notFinitePattern = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

function wholeNumber(text: string): number {
  const [, sign = "", digits = ""] = /^([-+]?)(.*)$/.exec(text.replaceAll("_", "")) ?? [];
  const size = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  return sign === "-" ? 0 - size : size;
}

const decimalNumber = (text: string): number => Number(text.replaceAll("_", ""));

/** A number that nobody has changed stays as it was written: 0x1F, 1_000, 1.10, and what a double cannot hold. */
function numberTag(name: "int" | "float", test: RegExp, read: (text: string) => number): ScalarTag {
  return {
    tag: `${tagPrefix}${name}`,
    default: true,
    test,
    identify: (value) => typeof value === "number" && Number.isInteger(value) === (name === "int"),
    resolve: read,
    stringify: ({ source, value }: Scalar) =>
      source !== undefined && Object.is(read(source), value) ? source : String(value),
  };
}

/** The library's own for texts, but plain text that nobody has changed stays plain: quoting is for what is written anew. */
function textTag(tag: ScalarTag): ScalarTag {
  return {
    ...tag,
    stringify(item, context, onComment, onChompKeep) {
      const { type, source, value } = item as Scalar<string>;
      const asItWas = type === "PLAIN" && value !== "" && source === value && !value.includes("\n");
      return asItWas ? value : (tag.stringify?.(item, context, onComment, onChompKeep) ?? value);
    },
  };
}

const keptTags: ReadonlySet<string> = new Set(["map", "seq", "null", "bool", "merge"].map((name) => tagPrefix + name));

function kubernetesTags(tags: Tags): Tags {
  const known = tags.filter((tag) => typeof tag !== "string");
  return [
    ...known.filter(({ tag }) => keptTags.has(tag)),
    ...known.filter(({ tag }) => tag === `${tagPrefix}str`).map((tag) => textTag(tag as ScalarTag)),
    numberTag("int", wholePattern, wholeNumber),
    numberTag("float", decimalPattern, decimalNumber),
    numberTag("float", notFinitePattern, () => Number.NaN),
  ];
}

export const yamlOptions = {
  version: "1.1",
  // What other readers take for a date or a number to base 60 is quoted where it is written anew.
  compat: "yaml-1.1",
  // Quadratic in the library; `valueOf` finds equal keys.
  uniqueKeys: false,
  customTags: kubernetesTags,
} as const;

/** A key that stands in a map more than once. */
interface RepeatedKey {
  /** Where the map's value of that key is: ["metadata", "labels", "app"]. */
  readonly path: Path;
  /** Offsets in the text, ascending: the last one counts. */
  readonly offsets: readonly number[];
}

/** What kubectl reads in a document, and where it passes over something. */
interface ReadValue {
  readonly value: unknown;
  readonly repeated: readonly RepeatedKey[];
}

/** Parses a document; `lineCounter` learns where its lines begin. */
export function parseYaml(text: string, lineCounter = new LineCounter()): Document.Parsed {
  return parseDocument(text, { ...yamlOptions, lineCounter });
}

/** Nodes that aliases may add to a document: far more than any manifest has, far fewer than an alias of aliases of aliases. */
const mostAliasedNodes = 100_000;

/** The value that kubectl reads. Throws Error with a sentence for what kubectl refuses, too. */
export function valueOf(document: Document.Parsed): ReadValue {
  const anchors = new Map<string, { readonly value: unknown; readonly size: number } | "open">();
  const repeated: RepeatedKey[] = [];
  let aliased = 0;

  /** The value of a node, and how many nodes it is. */
  function read(node: unknown, path: Path): { readonly value: unknown; readonly size: number } {
    if (isAlias(node)) return aliasOf(node.source);
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
    if (anchor !== undefined) anchors.set(anchor, "open");
    const found = isMap(node)
      ? mapOf(node, path)
      : isSeq(node)
        ? listOf(node.items, path)
        : { value: scalarOf(node), size: 1 };
    if (anchor !== undefined) anchors.set(anchor, found);
    return found;
  }

  function aliasOf(name: string): { readonly value: unknown; readonly size: number } {
    const found = anchors.get(name);
    if (found === undefined) throw new Error(`the alias *${name} has no anchor before it`);
    if (found === "open") throw new Error(`the anchor &${name} contains itself by an alias`);
    aliased += found.size;
    if (aliased > mostAliasedNodes) throw new Error("its aliases repeat each other beyond any measure");
    return found;
  }

  function listOf(items: readonly unknown[], path: Path) {
    const values = items.map((item, index) => read(item, [...path, index]));
    return { value: values.map(({ value }) => value), size: values.reduce((sum, { size }) => sum + size, 1) };
  }

  function mapOf({ items }: YAMLMap, path: Path) {
    const entries = new Map<string, unknown>();
    const places = new Map<string, number[]>();
    let total = 1;
    for (const pair of items) {
      if (isMergeKey(pair)) {
        const { value, size } = read(pair.value, path);
        total += size;
        // Of several maps the first counts most, and keys that stand before count less (decode.go, merge).
        for (const map of Array.isArray(value) ? value.toReversed() : [value]) merge(entries, map);
        continue;
      }
      const key = keyText(read(pair.key, path).value);
      const { value, size } = read(pair.value, [...path, key]);
      total += size + 1;
      entries.set(key, value);
      const offset = isScalar(pair.key) ? (pair.key.range?.[0] ?? 0) : 0;
      const seen = places.get(key);
      if (seen === undefined) places.set(key, [offset]);
      else seen.push(offset);
    }
    for (const [key, offsets] of places) if (offsets.length > 1) repeated.push({ path: [...path, key], offsets });
    return { value: Object.fromEntries(entries), size: total };
  }

  const { value } = read(document.contents, []);
  return { value, repeated: repeated.toSorted((a, b) => (a.offsets[0] ?? 0) - (b.offsets[0] ?? 0)) };
}

function merge(entries: Map<string, unknown>, map: unknown): void {
  if (typeof map !== "object" || map === null || Array.isArray(map)) throw new Error("a merge key << without a map");
  for (const [key, value] of Object.entries(map)) entries.set(key, value);
}

function scalarOf(node: unknown): unknown {
  const value: unknown = isScalar(node) ? node.value : null;
  if (typeof value === "number" && !Number.isFinite(value)) throw new Error("a number without end, which JSON has not");
  return value;
}

function isMergeKey({ key }: Pair): boolean {
  return isScalar(key) && key.source === "<<" && key.type === "PLAIN";
}

/** A key as text (sigs.k8s.io/yaml, convertToJSONableObject). */
function keyText(key: unknown): string {
  if (typeof key === "string") return key;
  if (typeof key === "number" || typeof key === "boolean") return String(key);
  throw new Error(`expected keys that are texts, found ${JSON.stringify(key)}`);
}

/** The pair of a map that counts for a key; undefined without one of its own. */
export function pairOf(map: YAMLMap, key: string | number): Pair | undefined {
  return map.items.findLast((pair) => hasKey(pair, key));
}

export function hasKey(pair: Pair, key: string | number): boolean {
  return isScalar(pair.key) && !isMergeKey(pair) && String(pair.key.value) === String(key);
}
