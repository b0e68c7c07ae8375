import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { applyDryRun, apply } from "../../../../core/kubernetes/apply.ts";
import { newCluster } from "../../../../core/kubernetes/cluster.ts";
import { loadKubeconfig } from "../../../../core/kubernetes/kubeconfig.ts";
import { list } from "../../../../core/kubernetes/objects.ts";
import { requirePermissions } from "../../../../core/kubernetes/permissions.ts";
import { answerJson, clusterAt, serve, type Script, type ScriptedServer } from "./api-server.ts";
import { tlsServer } from "./tls-server.ts";
import { typedAs } from "../../../typed-as.ts";

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});
async function serving(script: Script): Promise<ScriptedServer> {
  const server = await serve(script);
  opened.push(server);
  return server;
}
const version = { method: "GET", path: "/version" } as const;

describe("a call", () => {
  test("keeps its connection for the next", async () => {
    const { cluster, connections } = await serving({ onRequest: (_, response) => answerJson(response, { ok: true }) });
    for (let i = 0; i < 3; i++) expect(await cluster.call(version)).toEqual({ ok: true });
    expect(connections()).toBe(1);
  });

  test("is made in the name that the kubeconfig says, with its groups and all", async () => {
    const heard: IncomingHttpHeaders[] = [];
    const { cluster } = await serving({
      onRequest: ({ headers }, response) => {
        heard.push(headers);
        answerJson(response, {});
      },
    });
    const folder = await mkdtemp(join(tmpdir(), "kubeconfig-"));
    try {
      const kubeconfig = join(folder, "config");
      const user = { as: "jane", "as-groups": ["developers", "admins"], "as-user-extra": { reason: ["asked"] } };
      const config = {
        clusters: [{ name: "c", cluster: { server: cluster.server } }],
        contexts: [{ name: "c", context: { cluster: "c", user: "ann" } }],
        users: [{ name: "ann", user }],
        "current-context": "c",
      };
      await writeFile(kubeconfig, JSON.stringify(config));
      const asJane = newCluster(loadKubeconfig({ kubeconfig }));
      await asJane.call(version);
      asJane.close();
    } finally {
      await rm(folder, { recursive: true });
    }
    expect(heard).toMatchObject([
      {
        "impersonate-user": "jane",
        "impersonate-group": "developers, admins",
        "impersonate-extra-reason": "asked",
      },
    ]);
  });

  test("is sent again when the server closed an idle connection just then", async () => {
    let served = 0;
    const { cluster, connections } = await serving({
      onRequest: (request, response) => {
        // The second request of a connection finds it cut.
        if (++served === 2) request.socket.resetAndDestroy();
        else answerJson(response, { served });
      },
    });
    await cluster.call(version);
    expect(await cluster.call(version)).toEqual({ served: 3 });
    expect(connections()).toBe(2);
  });

  test("comes back when the server asks it to", async () => {
    let served = 0;
    const { cluster } = await serving({
      onRequest: (_, response) => {
        if (++served < 3) answerJson(response, { kind: "Status", message: "too many" }, 429, { "retry-after": "0" });
        else answerJson(response, { served });
      },
    });
    expect(await cluster.call(version)).toEqual({ served: 3 });
  });

  test("does not come back for ever", async () => {
    const { url } = await serving({
      onRequest: (_, response) =>
        answerJson(response, { kind: "Status", message: "too many" }, 429, { "retry-after": "0" }),
    });
    const cluster = clusterAt(url, {}, {}, { patience: 300 });
    await expect(cluster.call(version)).rejects.toMatchObject({ code: "not-ready", message: "too many" });
  });

  test("an answer that is cut is an error", async () => {
    const { cluster } = await serving({
      onRequest: (request, response) => {
        response.writeHead(200, { "content-length": "100" });
        response.write('{"half":');
        setImmediate(() => request.socket.destroy());
      },
    });
    await expect(cluster.call(version)).rejects.toMatchObject({ code: "cluster-unreachable" });
  });

  test("an answer that is not JSON is told", async () => {
    const { cluster } = await serving({ onRequest: (_, response) => response.end("<html>") });
    await expect(cluster.call(version)).rejects.toMatchObject({ code: "invalid" });
  });

  test("ends with its signal, and with the cluster's", async () => {
    const script = { onRequest: () => {} };
    const { cluster, url } = await serving(script);
    await expect(cluster.call({ ...version, signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
      code: "timeout",
    });
    const interrupt = new AbortController();
    const other = clusterAt(url, {}, {}, { signal: interrupt.signal });
    const call = other.call(version);
    interrupt.abort();
    await expect(call).rejects.toMatchObject({ code: "interrupted" });
    await expect(other.call(version)).rejects.toMatchObject({ code: "interrupted" });
  });

  test("nobody there", async () => {
    const server = await serve({});
    await server.close();
    await expect(clusterAt(server.url).call(version)).rejects.toMatchObject({
      code: "cluster-unreachable",
      message: `expected an answer from ${server.url} (context "scripted"), got: connection refused`,
    });
  });
});

const known = { token: "t" };
const trusting = (caData: string) => ({ "certificate-authority-data": caData });

describe("TLS", () => {
  const showsAuthorization = ({ headers: { authorization } }: IncomingMessage, response: ServerResponse) =>
    answerJson(response, { tls: true, authorization });

  test("the kubeconfig's CA is trusted, another is not", async () => {
    const one = await tlsServer(showsAuthorization);
    const other = await tlsServer(showsAuthorization);
    const cluster = clusterAt(one.url, known, trusting(one.caData));
    expect(await cluster.call(version)).toEqual({ tls: true, authorization: "Bearer t" });
    cluster.close();
    await expect(clusterAt(one.url, known, trusting(other.caData)).call(version)).rejects.toMatchObject({
      code: "cluster-unreachable",
      message: expect.stringContaining('a certificate that context "scripted" does not trust') as string,
    });
  });

  test("a server whose certificate has expired is told so", async () => {
    const { url, caData } = await tlsServer(showsAuthorization, new Date("2021-01-01"));
    await expect(clusterAt(url, known, trusting(caData)).call(version)).rejects.toMatchObject({
      code: "cluster-unreachable",
      message: expect.stringContaining("certificate has expired") as string,
    });
  });

  test("a credential plugin that fails is told", async () => {
    const { url, caData } = await tlsServer(showsAuthorization);
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      interactiveMode: "Never",
      command: "sh",
      args: ["-c", "exit 3"],
    };
    await expect(clusterAt(url, { exec }, trusting(caData)).call(version)).rejects.toMatchObject({
      code: "forbidden",
      message: 'expected credentials for user "ann", the credential plugin sh failed: it ended with exit code 3',
    });
    await expect(
      clusterAt(url, { exec: { ...exec, command: "no-such-login" } }, trusting(caData)).call(version),
    ).rejects.toMatchObject({
      code: "forbidden",
      message: 'expected credentials for user "ann", the credential plugin no-such-login failed: it was not found',
    });
  });

  test("a credential plugin's token is used", async () => {
    const { url, caData } = await tlsServer(showsAuthorization);
    const apiVersion = "client.authentication.k8s.io/v1";
    const credential = JSON.stringify({ kind: "ExecCredential", apiVersion, status: { token: "t1" } });
    const exec = { apiVersion, interactiveMode: "Never", command: "echo", args: [credential] };
    expect(await clusterAt(url, { exec }, trusting(caData)).call(version)).toEqual({
      tls: true,
      authorization: "Bearer t1",
    });
  });

  test("credentials are not sent to a server without TLS", async () => {
    const { url } = await serving({
      onRequest: (request, response) => answerJson(response, { authorization: request.headers.authorization }),
    });
    expect(await clusterAt(url, { token: "secret" }).call(version)).toEqual({});
  });
});

describe("objects", () => {
  test("a list is read page by page", async () => {
    const asked: string[] = [];
    const { cluster } = await serving({
      onRequest: (request, response) => {
        const url = new URL(request.url ?? "", "http://x");
        asked.push(url.searchParams.get("continue") ?? "");
        const last = asked.length === 3;
        answerJson(response, {
          metadata: { resourceVersion: "7", ...(last ? {} : { continue: `page${asked.length}` }) },
          items: [{ metadata: { name: `p${asked.length}` } }],
        });
      },
    });
    const pods = await list(cluster, { kind: "Pod", namespace: "a" });
    expect(pods.map(({ kind, metadata }) => `${kind} ${metadata?.name}`)).toEqual(["Pod p1", "Pod p2", "Pod p3"]);
    expect(asked).toEqual(["", "page1", "page2"]);
  });

  test("a list whose pages have grown too old begins anew, and not for ever", async () => {
    let asked = 0;
    const expired = (response: ServerResponse) =>
      answerJson(response, { kind: "Status", code: 410, message: "The provided continue parameter is too old" }, 410);
    const { cluster } = await serving({
      onRequest: (request, response) => {
        const next = new URL(request.url ?? "", "http://x").searchParams.get("continue");
        asked++;
        if (next === null)
          answerJson(response, { metadata: { continue: `a${asked}` }, items: [{ metadata: { name: "p1" } }] });
        else if (next === "a1" || request.url?.includes("/b/")) expired(response);
        else answerJson(response, { metadata: { resourceVersion: "9" }, items: [{ metadata: { name: "p2" } }] });
      },
    });
    const pods = await list(cluster, { kind: "Pod", namespace: "a" });
    expect(pods.map(({ metadata }) => metadata?.name)).toEqual(["p1", "p2"]);
    expect(asked).toBe(4);
    await expect(list(cluster, { kind: "Pod", namespace: "b" })).rejects.toMatchObject({ httpStatus: 410 });
    expect(asked).toBe(10);
  });

  test("an object without our label is not applied", async () => {
    const { cluster } = await serving({});
    await expect(apply(cluster, { kind: "Secret", metadata: { name: "x" } })).rejects.toMatchObject({
      code: "internal",
    });
  });

  test("a dry run in a namespace that is yet to be made creates", async () => {
    const { cluster } = await serving({
      onRequest: (_, response) =>
        answerJson(response, { kind: "Status", message: "no namespace", details: { kind: "namespaces" } }, 404),
    });
    const labels = { "app.kubernetes.io/managed-by": "kubectl-fabric" };
    expect(await applyDryRun(cluster, { kind: "Secret", metadata: { name: "x", labels } })).toEqual({
      change: "create",
      fields: [],
    });
  });

  test("missing rights are all named", async () => {
    const { cluster } = await serving({
      onRequest: (request, response) => {
        let body = "";
        request.on("data", (chunk) => (body += String(chunk)));
        request.on("end", () => answerJson(response, { status: { allowed: body.includes('"verb":"get"') } }));
      },
    });
    const wanted = [
      { verb: "get", kind: "Pod", namespace: "org1" },
      { verb: "create", kind: "Pod", subresource: "portforward", namespace: "org1" },
      { verb: "patch", kind: "StatefulSet", namespace: "org1" },
    ] as const;
    await expect(requirePermissions(cluster, wanted)).rejects.toMatchObject({
      code: "forbidden",
      message:
        "expected the right to create pods/portforward in namespace org1; to patch statefulsets in namespace org1",
      hint: typedAs("kubectl auth can-i create pods --subresource=portforward -n org1"),
    });
    await expect(requirePermissions(cluster, wanted.slice(0, 1))).resolves.toBeUndefined();
  });
});
