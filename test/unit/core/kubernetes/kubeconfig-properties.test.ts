import { validateHeaderName, validateHeaderValue } from "node:http";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { FabricError } from "../../../../core/error.ts";
import { readKubeconfigFile } from "../../../../core/kubernetes/kubeconfig-file.ts";
import { chooseContext, type LoadedKubeconfig } from "../../../../core/kubernetes/kubeconfig.ts";
import { wholeNumber } from "../../../whole-number.ts";

// More than `npm test` takes: KUBECONFIG_RUNS=100000 npx vitest run --project unit test/unit/core/kubernetes/kubeconfig-properties.test.ts
const numRuns = wholeNumber("KUBECONFIG_RUNS") ?? 2000;

/** Mostly what belongs there, and sometimes anything. */
const or = (likely: fc.Arbitrary<unknown>, weight = 200) =>
  fc.oneof(
    { arbitrary: likely, weight },
    fc.constantFrom(null, "", 1, true, [], {}, [null], [1], { a: 1 }, "x\ny", "ö\u2028"),
  );
const some = (fields: Record<string, fc.Arbitrary<unknown>>, requiredKeys: string[] = []) =>
  or(fc.record(fields, { requiredKeys }));
/** A field that is there only now and then: most of them want to be alone. */
const seldom = (likely: fc.Arbitrary<unknown>) =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 6 }, or(likely, 20));
const few = (one: fc.Arbitrary<unknown>) => fc.array(one, { maxLength: 3 });

const word = fc.oneof(
  { arbitrary: fc.constantFrom("a", "b", "../a", "ö", "a b"), weight: 3 },
  fc.string({ unit: "binary" }),
);
const servers = fc.oneof(
  { arbitrary: fc.constantFrom("https://api:6443", "api:1", "http://[::1]", "https://a/b/"), weight: 8 },
  fc.constantFrom("https://", "a://b", "/a", "https://a:b@c", "https://a:99999", "http://a/?b#c", "https://[1", "a b"),
  fc.webUrl(),
  word,
);
const data = fc.oneof({ arbitrary: fc.base64String(), weight: 20 }, word);
const extensions = seldom(few(some({ name: word, extension: fc.constantFrom(null, 1, { a: [] }) }, ["name"])));
const name = or(fc.constantFrom("a", "b"), 50);

const cluster = some(
  {
    server: or(servers),
    "tls-server-name": seldom(word),
    "insecure-skip-tls-verify": seldom(fc.boolean()),
    "certificate-authority": seldom(word),
    "certificate-authority-data": seldom(data),
    "proxy-url": seldom(fc.oneof(servers, fc.constant("socks5://a"))),
    "disable-compression": seldom(fc.boolean()),
    extensions,
    unheard: seldom(word),
  },
  ["server"],
);
const exec = some(
  {
    command: or(word),
    args: seldom(few(or(word))),
    env: seldom(few(some({ name: word, value: word }, ["name"]))),
    apiVersion: or(fc.constantFrom("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")),
    provideClusterInfo: seldom(fc.boolean()),
    interactiveMode: or(fc.constantFrom("Never", "IfAvailable", "Always")),
  },
  ["command", "apiVersion"],
);
const user = some({
  token: or(word, 5),
  tokenFile: seldom(word),
  "client-certificate": seldom(word),
  "client-certificate-data": seldom(data),
  "client-key": seldom(word),
  "client-key-data": seldom(data),
  as: or(word),
  "as-uid": or(word),
  "as-groups": or(few(or(word))),
  "as-user-extra": or(fc.dictionary(fc.string(), few(word), { maxKeys: 2 })),
  username: seldom(word),
  password: seldom(word),
  "auth-provider": seldom(
    some({ name: fc.constant("oidc"), config: or(fc.dictionary(fc.string(), word, { maxKeys: 2 })) }),
  ),
  exec: seldom(exec),
  extensions,
});
const context = some({ cluster: name, user: name, namespace: seldom(word), extensions }, ["cluster", "user"]);
const named = (kind: string, entry: fc.Arbitrary<unknown>) =>
  or(
    fc.tuple(entry, entry).map(([one, other]) => [
      { name: "a", [kind]: one },
      { name: "b", [kind]: other },
    ]),
    100,
  );
const kubeconfig = some(
  {
    kind: or(fc.constant("Config")),
    apiVersion: or(fc.constant("v1")),
    "current-context": name,
    preferences: or(fc.constant({})),
    clusters: named("cluster", cluster),
    users: named("user", user),
    contexts: named("context", context),
  },
  ["clusters", "users", "contexts"],
);

/** As JSON, as YAML, and damaged. */
const content = fc.oneof(
  { arbitrary: kubeconfig.map((it) => JSON.stringify(it)), weight: 4 },
  { arbitrary: kubeconfig.map((it) => stringify(it)), weight: 2 },
  {
    arbitrary: fc
      .tuple(kubeconfig, fc.nat(), fc.nat(30), fc.string())
      .map(([it, at, length, other]) => damaged(stringify(it), at, length, other)),
    weight: 1,
  },
  { arbitrary: fc.string({ unit: "binary", maxLength: 200 }), weight: 1 },
);

function damaged(whole: string, at: number, length: number, other: string): string {
  const start = at % (whole.length + 1);
  return whole.slice(0, start) + other + whole.slice(start + length);
}

/** What is loaded, or the failure in our words. */
function understood(files: readonly string[], chosen: string | null): LoadedKubeconfig | FabricError {
  try {
    const read = files.map((one, index) => readKubeconfigFile(one, `/nowhere/${index}`));
    const name = chosen ?? read.map(({ currentContext }) => currentContext).find(Boolean);
    return chooseContext(read, { name, env: {} });
  } catch (thrown) {
    if (thrown instanceof FabricError) return thrown;
    throw thrown;
  }
}

/** A refusal, or the address that is called. Throws for a header that cannot be sent. */
function lineOf(outcome: LoadedKubeconfig | FabricError): string {
  if (outcome instanceof FabricError) return `refused: ${outcome.message}`;
  for (const [name, values] of Object.entries(outcome.impersonation)) {
    validateHeaderName(name);
    for (const value of [values].flat()) validateHeaderValue(name, value);
  }
  return outcome.server;
}

test("whatever a kubeconfig says, it is understood or refused in our words", () => {
  fc.assert(
    fc.property(
      fc.array(content, { minLength: 1, maxLength: 2 }),
      fc.option(fc.constantFrom("a", "b")),
      (files, chosen) => {
        const line = lineOf(understood(files, chosen));
        expect(line).toMatch(/^(refused: .|https?:\/\/[^/@?# ]+[^?# ]*$)/);
      },
    ),
    { numRuns },
  );
});

test("what is deep, wide or refers to itself ends soon", () => {
  const bomb = [
    "a: &a [x]",
    ...Array.from({ length: 30 }, (_, i) => `a${i}: &a${i} [*a${i || ""}, *a${i || ""}]`),
  ].join("\n");
  for (const one of ["[".repeat(50_000), "{a: ".repeat(20_000), `- `.repeat(10_000), bomb, "users: &a [*a]", "x: *y"]) {
    expect(() => readKubeconfigFile(one, "config")).toThrow(/^expected a kubeconfig in config, got: /);
  }
});
