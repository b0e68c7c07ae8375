import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadKubeconfig } from "../../../../core/kubernetes/kubeconfig.ts";
import { typedAs } from "../../../typed-as.ts";

let home: string;
const file = (name: string) => join(home, name);
const entry = (name: string, server: string, current = name) => `
apiVersion: v1
kind: Config
current-context: ${current}
clusters: [{name: ${name}, cluster: {server: "${server}"}}]
users: [{name: ${name}, user: {token: ${name}}}]
contexts: [{name: ${name}, context: {cluster: ${name}, user: ${name}, namespace: ns-${name}}}, {name: shared, context: {cluster: ${name}, user: ${name}}}]
`;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "kubeconfig-"));
  mkdirSync(file(".kube"));
  writeFileSync(file(".kube/config"), entry("home", "https://home:6443/"));
  writeFileSync(file("a"), entry("a", "https://a"));
  writeFileSync(file("b"), entry("b", "https://b"));
  writeFileSync(file("empty-current"), entry("c", "https://c", '""'));
  writeFileSync(
    file("nobody"),
    "clusters: [{name: x, cluster: {server: 'http://127.0.0.1:8001'}}]\ncontexts: [{name: x, context: {cluster: x}}]\ncurrent-context: x\n",
  );
  writeFileSync(file("dangling"), "contexts: [{name: x, context: {cluster: z, user: z}}]\ncurrent-context: x\n");
  writeFileSync(file("broken"), "clusters: [\n");
  writeFileSync(
    file("bare"),
    "clusters: [{name: x, cluster: {server: 'https://x'}}]\ncontexts: [{name: no-cluster}, {name: no-user, context: {cluster: x}}]\n",
  );
  writeFileSync(
    file("exec"),
    entry("e", "https://e").replace(
      "{token: e}",
      "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: bin/login}}",
    ),
  );
});
afterAll(() => rmSync(home, { recursive: true }));

const env = (KUBECONFIG?: string) => ({ HOME: home, ...(KUBECONFIG === undefined ? {} : { KUBECONFIG }) });

describe("where it is read from, as kubectl does", () => {
  test("~/.kube/config", () => {
    expect(loadKubeconfig({ env: env() })).toMatchObject({
      context: "home",
      server: "https://home:6443",
      namespace: "ns-home",
    });
  });

  test("KUBECONFIG: the first file wins, missing files do not count", () => {
    const loaded = loadKubeconfig({ env: env(`${file("none")}:${file("a")}:${file("b")}`) });
    expect(loaded).toMatchObject({ context: "a", server: "https://a", user: "a" });
    const others = { env: env(`${file("none")}:${file("a")}:${file("b")}`) };
    expect(["shared", "b"].map((context) => loadKubeconfig({ ...others, context }).server)).toEqual([
      "https://a",
      "https://b",
    ]);
  });

  test("the first file that names a current context wins", () => {
    expect(loadKubeconfig({ env: env(`${file("empty-current")}:${file("b")}`) }).context).toBe("b");
  });

  test("--kubeconfig is the only one", () => {
    expect(loadKubeconfig({ kubeconfig: file("b"), env: env(file("a")) }).context).toBe("b");
  });

  test("--context chooses", () => {
    const loaded = loadKubeconfig({ context: "shared", env: env(`${file("a")}:${file("b")}`) });
    expect(loaded).toMatchObject({ context: "shared", server: "https://a", namespace: "default" });
  });

  test("a server without TLS and a context without user are accepted", () => {
    const { server } = loadKubeconfig({ kubeconfig: file("nobody") });
    expect(server).toBe("http://127.0.0.1:8001");
  });

  test("a credential plugin is found beside its kubeconfig", () => {
    expect(loadKubeconfig({ kubeconfig: file("exec") }).credentials.exec?.command).toBe(file("bin/login"));
  });
});

describe("what can be wrong", () => {
  test.each([
    [
      "no kubeconfig",
      { env: { HOME: "/nowhere" } },
      "cluster-unreachable",
      "expected a kubeconfig, found none (/nowhere/.kube/config)",
    ],
    ["no such file", { kubeconfig: "/nowhere/x" }, "usage", "expected a kubeconfig at /nowhere/x, found no such file"],
  ])("%s", (_, source, code, message) => {
    expect(() => loadKubeconfig(source)).toThrow(expect.objectContaining({ code, message }));
  });

  test("an unknown context names the known ones", () => {
    expect(() => loadKubeconfig({ context: "z", env: env(`${file("a")}:${file("b")}`) })).toThrow(
      expect.objectContaining({
        code: "usage",
        message: 'expected a context named "z", found a, shared, b',
        hint: typedAs("choose one with --context, for example --context a"),
      }),
    );
  });

  test("no current context", () => {
    expect(() => loadKubeconfig({ kubeconfig: file("empty-current") })).toThrow(
      "expected a current context, found c, shared",
    );
  });

  test("a context whose cluster is not there", () => {
    expect(() => loadKubeconfig({ kubeconfig: file("dangling") })).toThrow(
      expect.objectContaining({ code: "usage", message: 'context "x" names the cluster "z", which is not there' }),
    );
  });

  test("a context without a cluster, and one without a user", () => {
    expect(() => loadKubeconfig({ kubeconfig: file("bare"), context: "no-cluster" })).toThrow(
      'expected a cluster in context "no-cluster", found none',
    );
    expect(() => loadKubeconfig({ kubeconfig: file("bare"), context: "no-user" })).toThrow(
      'expected a user in context "no-user", found none',
    );
  });

  test("not YAML", () => {
    expect(() => loadKubeconfig({ kubeconfig: file("broken") })).toThrow(expect.objectContaining({ code: "usage" }));
    expect(() => loadKubeconfig({ env: env(file("broken")) })).toThrow(expect.objectContaining({ code: "invalid" }));
  });
});
