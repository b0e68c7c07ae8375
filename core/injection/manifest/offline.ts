import { isDeepStrictEqual } from "node:util";
import { escapePathComponent, type Operation } from "fast-json-patch";
import { annotationKeys, annotationPrefix } from "../annotations.ts";
import { applyOperations, inject, type InjectionContext } from "../inject.ts";
import { skipSentences } from "../outcome.ts";
import { FabricError } from "../../error.ts";
import type { V1Pod } from "../../kubernetes/client-node.ts";
import { byteOrderMark, editManifest, readManifest, type ManifestDocument, type PartialEdit } from "./manifest.ts";
import { templatesBelow, type TemplatePath } from "./template-path.ts";
import { operatorNotices } from "./operator-resource.ts";
import { originalOf, recordOriginal, restore } from "./original.ts";
import { fieldsOf, itemsOf, ownerOf, podTemplatesOf, type Path, type PodTemplate } from "./pod-template.ts";

/** The result for one Pod template. */
export interface TemplateReport {
  /** "Deployment peer0" */
  readonly owner: string;
  readonly result: "injected" | "ejected" | "unchanged";
  /** Why it is unchanged, or the peer's container. */
  readonly detail: string;
  readonly warnings: readonly string[];
}

/** A manifest after injection or ejection. */
export interface EditedManifest {
  /** The whole manifest; unchanged documents are the same byte for byte. */
  readonly text: string;
  readonly changed: boolean;
  /** The objects that kubectl reads; empty documents are left out. */
  readonly objects: readonly unknown[];
  readonly templates: readonly TemplateReport[];
  /** Notices for the user about the manifest itself. */
  readonly notices: readonly string[];
}

/**
 * Injects every Pod template of a manifest that asks for it, as the webhook would, and records in it how to undo that. A template
 * that this function has injected before is injected anew.
 * `templates` is where custom resources have Pod templates besides.
 * Throws `usage` when there is none at that path, `invalid` when the text is no manifest, `rejected` when a Pod is denied, with the webhook's sentence.
 */
export function injectManifest(
  text: string,
  source: string,
  context: InjectionContext & { readonly templates?: TemplatePath | undefined },
): EditedManifest {
  return edit(text, source, context.templates, (template) => injectTemplate(template, source, context));
}

/**
 * Undoes `injectManifest`.
 * Throws `invalid` when the text is no manifest, or when the webhook injected a template: the webhook records nothing.
 */
export function ejectManifest(text: string, source: string, templates?: TemplatePath): EditedManifest {
  return edit(text, source, templates, ejectTemplate);
}

interface TemplateEdit {
  readonly operations: readonly Operation[];
  readonly report: TemplateReport;
  readonly notices?: readonly string[];
}

function edit(
  text: string,
  source: string,
  path: TemplatePath | undefined,
  change: (template: PodTemplate) => TemplateEdit,
): EditedManifest {
  const read = readManifest(text, source);
  const custom = read.map(({ object }) => (path === undefined ? [] : templatesBelow(object, path)));
  if (path !== undefined && custom.every((found) => found.length === 0)) {
    throw new FabricError("usage", `${source}: expected a Pod template at the path, found none with spec.containers`);
  }
  const documents = read.map((document, index) => editOne(document, custom[index] ?? [], change));
  return {
    text: `${text.startsWith(byteOrderMark) ? byteOrderMark : ""}${documents.map((document) => document.text).join("")}`,
    changed: documents.some(({ changed }) => changed),
    objects: documents.flatMap(({ object }) => (object === null || object === undefined ? [] : [object])),
    templates: documents.flatMap(({ templates }) => templates),
    notices: documents.flatMap(({ notices }) => notices),
  };
}

function editOne(
  document: ManifestDocument,
  custom: readonly PodTemplate[],
  change: (template: PodTemplate) => TemplateEdit,
) {
  const known = podTemplatesOf(document.object);
  const others = custom.filter((template) => !known.some(({ path }) => isDeepStrictEqual(path, template.path)));
  const found = [...known, ...others].map((template) => ({ template, ...change(template) }));
  const edits = found.flatMap(({ template: { path }, operations }): PartialEdit[] =>
    operations.length === 0 ? [] : [{ path, operations }],
  );
  const templates = found.map(({ report }) => report);
  const said = [
    ...repeatedKeys(document),
    ...misplacedAnnotations(document.object),
    ...operatorNotices(document.object),
    ...found.flatMap(({ notices = [] }) => notices),
  ];
  if (edits.length === 0) return { ...document, changed: false, templates, notices: said };
  const { text, rewritten } = editManifest(document, edits);
  const lost = `${ownerOf(document.object)}: written anew without comments, for it uses anchors where it had to change`;
  return {
    text,
    changed: text !== document.text,
    object: readManifest(text, "")[0]?.object,
    templates,
    notices: rewritten ? [...said, lost] : said,
  };
}

function injectTemplate({ pod, owner }: PodTemplate, source: string, context: InjectionContext): TemplateEdit {
  requireTexts(pod, owner);
  const { before, operations: undone } = withoutInjection(pod);
  const outcome = inject(before, context);
  if (outcome.kind === "untouched") {
    return { operations: [], report: unchanged(owner, skipSentences[outcome.reason]) };
  }
  if (outcome.kind === "denied") {
    throw new FabricError("rejected", `${source}: ${owner}: ${outcome.message}`, {
      hint: [
        "the webhook would refuse this Pod with the same sentence; change the manifest, or ",
        { setting: "injectionSettings" },
        " if they are yours",
      ],
    });
  }
  const operations = [...outcome.operations, noteOf(before, outcome.operations)];
  const report: TemplateReport = {
    owner,
    result: "injected",
    detail: `peer in container ${outcome.peerContainer}`,
    warnings: outcome.warnings.map(({ message }) => message),
  };
  const notices = outcome.ownDaemon === undefined ? [] : [reusedDaemon(owner, outcome.ownDaemon)];
  const again = isDeepStrictEqual(applyOperations(before, operations), pod);
  if (again)
    return {
      operations: [],
      report: { ...report, result: "unchanged", detail: "already injected, the same" },
      notices,
    };
  return { operations: [...undone, ...operations], report, notices };
}

function reusedDaemon(owner: string, { container, endpoint }: { container: string; endpoint: string }): string {
  return `${owner}: container ${container} runs Docker already: the peer uses it, at ${endpoint}, and no other was added`;
}

/** The Pod before the injection that is recorded in it. */
function withoutInjection(pod: V1Pod): { readonly before: V1Pod; readonly operations: readonly Operation[] } {
  const original = originalOf(pod);
  if (original === undefined) return { before: pod, operations: [] };
  const { operations } = restore(pod, original);
  return { before: applyOperations(pod, operations), operations };
}

function noteOf(pod: V1Pod, operations: readonly Operation[]): Operation {
  return {
    op: "add",
    path: `/metadata/annotations/${escapePathComponent(annotationKeys.original)}`,
    value: JSON.stringify(recordOriginal(pod, operations)),
  };
}

function ejectTemplate({ pod, owner }: PodTemplate): TemplateEdit {
  const original = originalOf(pod);
  if (original === undefined) {
    if (pod.metadata?.annotations?.[annotationKeys.injected] !== undefined) throw injectedByWebhook(owner);
    return { operations: [], report: unchanged(owner, "nothing was injected") };
  }
  const { operations, kept } = restore(pod, original);
  const warnings = kept.map((what) => `${what} was changed since the injection, and stays`);
  return { operations, report: { owner, result: "ejected", detail: "as before the injection", warnings } };
}

function injectedByWebhook(owner: string): FabricError {
  return new FabricError(
    "invalid",
    `${owner} was injected by the webhook, which leaves no note of what was there before`,
    {
      hint: [
        "eject what the Pod was made from: ",
        { operation: "eject", of: "deployment/NAME" },
        ", or statefulset/NAME",
      ],
    },
  );
}

function unchanged(owner: string, detail: string): TemplateReport {
  return { owner, result: "unchanged", detail, warnings: [] };
}

/** Throws `invalid` for an annotation that is not a string, as the API server would: YAML reads `true` and `2` as other types. */
function requireTexts({ metadata }: V1Pod, owner: string): void {
  const wrong = Object.entries(fieldsOf(metadata?.annotations)).find(
    ([key, value]) => key.startsWith(annotationPrefix) && typeof value !== "string",
  );
  if (wrong === undefined) return;
  const [key, value] = wrong;
  throw new FabricError("invalid", `${owner}: ${key}: expected a text, found ${JSON.stringify(value)}`, {
    hint: `put it in quotes: ${key}: "${String(value)}"`,
  });
}

/** Notices about annotations on a workload itself, where they have no effect. */
function misplacedAnnotations(object: unknown): readonly string[] {
  const items = itemsOf(object);
  if (items !== undefined) return items.flatMap(misplacedAnnotations);
  const templates = podTemplatesOf(object);
  if (templates.length === 0 || templates.some(({ path }) => path.length === 0)) return [];
  const own = fieldsOf(fieldsOf(fieldsOf(object)["metadata"])["annotations"]);
  const keys = Object.keys(own).filter((key) => key.startsWith(annotationPrefix));
  return keys.map((key) => `${ownerOf(object)}: ${key} has no effect here: it belongs to the Pod template`);
}

/** Notices about a document are bounded: it may have any number of equal keys. */
const mostRepeated = 5;

function repeatedKeys({ object, repeated }: ManifestDocument): readonly string[] {
  const owner = ownerOf(object);
  const said = repeated.slice(0, mostRepeated).map(({ path, lines }) => {
    return `${owner}: ${pathText(path)} is there ${times(lines.length)} (${lineText(lines)}): the last counts, as for kubectl and Helm`;
  });
  const more = repeated.length - said.length;
  return more > 0 ? [...said, `${owner}: ${more} more keys are there more than once`] : said;
}

function lineText(lines: readonly number[]): string {
  const all = [...new Set(lines)];
  const last = all.pop();
  const more = all.length > mostRepeated ? ", …" : "";
  return all.length === 0 ? `line ${last}` : `lines ${all.slice(0, mostRepeated).join(", ")}${more} and ${last}`;
}

const times = (count: number): string => (count === 2 ? "twice" : `${count} times`);

/** metadata.labels["app.kubernetes.io/name"], spec.containers[0] */
function pathText(path: Path): string {
  const steps = path.map((step) =>
    typeof step === "number" ? `[${step}]` : /^\w+$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`,
  );
  return steps.join("").replace(/^\./, "");
}
