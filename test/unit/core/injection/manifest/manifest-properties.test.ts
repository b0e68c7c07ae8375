// Manifests as people and charts write them, at random: comments, anchors, merge keys, equal keys, any layout, LF and CRLF.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FabricError } from "../../../../../core/error.ts";
import type { InjectionContext } from "../../../../../core/injection/inject.ts";
import { readManifest } from "../../../../../core/injection/manifest/manifest.ts";
import { ejectManifest, injectManifest } from "../../../../../core/injection/manifest/offline.ts";
import { defaultSettings } from "../../../../../core/injection/settings.ts";

const context: InjectionContext = { settings: defaultSettings, cluster: {}, version: "0.0.0" };
const runs = Number(process.env["MANIFEST_RUNS"] ?? 30);
const timeoutMs = 60_000 + runs * 200;

const word = fc.constantFrom(
  "on",
  "'yes'",
  "0777",
  '"1:30"',
  "1_000",
  "~",
  "x # y",
  "1.10",
  "peer0",
  "2020-01-01",
  '"a\\tb"',
  "12345678901234567890",
  "$(A)",
);
const comment = fc.constantFrom("", "", " # c", "\t# tab", "  #");
const gap = fc.constantFrom("", "", "\n", "# between\n", "\n\n  # c\n");

/** Variables of a peer, in the forms of env: some more than once, some with equal keys. */
const variable = fc
  .tuple(fc.constantFrom("CORE_PEER_ID", "CORE_VM_ENDPOINT", "DOCKER_HOST", "A"), word, comment)
  .chain(([name, value, note]) =>
    fc.constantFrom(
      `- name: ${name}${note}\n  value: "v"\n`,
      `- {name: ${name}, value: 'v'}${note}\n`,
      `- name: ${name}\n  value: a\n  value: ${value.startsWith("x") ? "b" : JSON.stringify(value)}${note}\n`,
      `- value: >-\n    folded\n    text\n  name: ${name}\n`,
      `- name: ${name}\n  valueFrom: {fieldRef: {fieldPath: status.podIP}}\n`,
    ),
  );

const env = fc.array(variable, { maxLength: 4 }).map((entries) => entries.join(""));

const indented = (text: string, by: number): string => text.replace(/^(?=.)/gm, " ".repeat(by));

interface Parts {
  readonly variables: string;
  readonly label: string;
  readonly note: string;
  readonly space: string;
  readonly twice: boolean;
  readonly anchored: "none" | "env" | "merge" | "container";
  readonly resources: string;
  readonly socket: boolean;
}

const parts: fc.Arbitrary<Parts> = fc.record({
  variables: env,
  label: word,
  note: comment,
  space: gap,
  twice: fc.boolean(),
  anchored: fc.constantFrom("none", "none", "env", "merge", "container"),
  resources: fc.constantFrom(
    "",
    "      resources: {limits: {cpu: 1, memory: 1Gi}}\n",
    "      resources:\n        requests:\n          memory: 1e9 # c\n",
  ),
  socket: fc.boolean(),
});

function deployment({ variables, label, note, space, twice, anchored, resources, socket }: Parts): string {
  const list = variables === "" ? " []\n" : `\n${indented(variables, anchored === "env" ? 2 : 10)}`;
  const own = anchored === "env" ? `        env: *env\n` : `        env:${list}`;
  const peer = [
    `      - name: peer${note}\n        image: hyperledger/fabric-peer:2.5.15\n`,
    anchored === "merge" ? "        <<: *base\n" : "",
    own,
    socket ? "        volumeMounts:\n        - {name: sock, mountPath: /host/var/run/docker.sock}\n" : "",
  ].join("");
  return [
    anchored === "env" ? `x-env: &env${list}` : "",
    anchored === "merge" ? "x-base: &base {imagePullPolicy: Always, workingDir: /}\n" : "",
    anchored === "container" ? `x-label: &label ${JSON.stringify(label)}\n` : "",
    `apiVersion: apps/v1\nkind: Deployment${note}\nmetadata: {name: peer0, labels: {a: 1, b: ${JSON.stringify(label)}}}\n${space}`,
    `spec:\n  replicas: 1\n${twice ? "  replicas: 0x2\n" : ""}  template:\n    metadata:\n`,
    twice ? "      annotations: {gone: x}\n" : "",
    `      annotations:\n        kubectl-fabric.io/inject: "true"${note}\n`,
    anchored === "container" ? "        label: *label\n" : "",
    `    spec:\n${resources}      containers:\n${peer}`,
    socket ? "      volumes:\n      - name: sock\n        hostPath: {path: /var/run/docker.sock}\n" : "",
  ].join("");
}

const other = fc
  .tuple(word, comment, gap)
  .map(
    ([value, note, space]) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata:   {  name: x }\n${space}data:\n  a: ${value}${value.includes("#") ? "" : note}\n  a:   b\n`,
  );

const manifest = fc
  .array(
    fc.oneof(
      { weight: 2, arbitrary: other.map((text) => ({ text, peer: false })) },
      parts.map((given) => ({ text: deployment(given), peer: true })),
    ),
    {
      minLength: 1,
      maxLength: 3,
    },
  )
  .chain((documents) => fc.record({ documents: fc.constant(documents), crlf: fc.boolean() }));

const separator = "--- # next\n";

function textOf(documents: readonly { readonly text: string }[], crlf: boolean): string {
  const text = documents.map(({ text: one }) => `${separator}${one}`).join("");
  return crlf ? text.replaceAll("\n", "\r\n") : text;
}

test(
  "what has no peer stays byte for byte, injecting again changes nothing, and ejecting gives the objects back",
  () => {
    fc.assert(
      fc.property(manifest, ({ documents, crlf }) => {
        const text = textOf(documents, crlf);
        const there = injectManifest(text, "x.yaml", context);
        const [before, after] = [text, there.text].map((all) => all.split(/^(?=--- # next)/m));
        expect(after).toHaveLength(documents.length);
        const changed = documents.map((_, index) => after?.[index] !== before?.[index]);
        expect(changed).toEqual(documents.map(({ peer }) => peer));
        expect(injectManifest(there.text, "x.yaml", context)).toMatchObject({ text: there.text, changed: false });
        const objects = (all: string) => readManifest(all, "x.yaml").map(({ object }) => object);
        expect(objects(ejectManifest(there.text, "x.yaml").text)).toEqual(objects(text));
      }),
      { numRuns: runs },
    );
  },
  timeoutMs,
);

/** Pieces of YAML and JSON in any order: most of it is nothing that kubectl would read. */
const scrap = fc.constantFrom(
  "a: ",
  "- ",
  "&a ",
  "*a",
  "<<: ",
  "{",
  "}",
  "[",
  "]",
  ",",
  '"',
  "'",
  "|\n",
  ">-\n",
  "\n",
  "  ",
  "\t",
  "#",
  "---\n",
  "...\n",
  "%YAML 1.2\n",

  "!!str ",
  "!x ",
  "? ",
  ": ",
  "\r\n",
  "\uFEFF",
  "\0",
  "kind: Pod\n",
  "spec:\n",
  "containers:\n",
  '{"kind":"Pod"}',
  "items: ",
  "kind: List\n",

  'kubectl-fabric.io/inject: "true"\n',
  "metadata:\n",
  "annotations:\n",
  "~",
  ".inf",
  "0x",
  "=",
  "@",
  "`",
  "é",
  "\u2028",
  "__proto__: ",
);

/** What comes of a text: a manifest, or a failure in words. Throws what is neither. */
function outcomeOf(text: string): "changed" | "the same" | "other, and said to be the same" | "in words" {
  try {
    const there = injectManifest(text, "x", context);
    ejectManifest(there.text, "x");
    if (there.changed) return "changed";
    return there.text === text ? "the same" : "other, and said to be the same";
  } catch (error) {
    if (error instanceof FabricError && error.code !== "internal") return "in words";
    throw error;
  }
}

const expected = ["changed", "the same", "in words"];

test(
  "whatever the text, there is a manifest or an error in words",
  () => {
    const texts = fc.array(fc.oneof({ weight: 4, arbitrary: scrap }, fc.string({ maxLength: 3 })), { maxLength: 30 });
    fc.assert(
      fc.property(texts, (pieces) => {
        expect(expected).toContain(outcomeOf(pieces.join("")));
      }),
      { numRuns: runs },
    );
  },
  timeoutMs,
);

test(
  "a text that is changed a little anywhere is still a manifest, or an error in words",
  () => {
    const at = fc.tuple(parts, fc.nat(), fc.nat(12), scrap, fc.boolean());
    fc.assert(
      fc.property(at, ([given, place, length, piece, inJson]) => {
        const whole = deployment(given);
        const text = inJson ? JSON.stringify(readManifest(whole, "x")[0]?.object) : whole;
        const start = place % text.length;
        expect(expected).toContain(outcomeOf(`${text.slice(0, start)}${piece}${text.slice(start + length)}`));
      }),
      { numRuns: runs },
    );
  },
  timeoutMs,
);
