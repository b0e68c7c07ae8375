// The whole command before an API server that answers by a script: what it asks for, and that no refusal ends it.
import { Readable, Writable } from "node:stream";
import type { IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import { afterEach, describe, expect, test } from "vitest";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DoctorReport } from "../../../../core/doctor/examine.ts";
import { examine } from "../../../../core/doctor/examine.ts";
import { newProgram } from "../../../../plugin/program.ts";
import { answerJson, serve, type ScriptedServer } from "../kubernetes/api-server.ts";
import { typedAs } from "../../../typed-as.ts";

const opened: ScriptedServer[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

interface Answer {
  readonly status?: number;
  readonly body: object;
}
type Answers = (path: string, body: Posted | undefined, request: IncomingMessage) => Answer | undefined;

/** What of a posted Pod or review decides the answer. */
interface Posted {
  readonly kind: string;
  readonly spec: {
    readonly resourceAttributes?: { readonly resource: string; readonly verb: string };
    readonly initContainers?: readonly { readonly securityContext?: { readonly privileged?: boolean } }[];
  };
}

const refusal = (status: number, message: string): Answer => ({
  status,
  body: { kind: "Status", status: "Failure", code: status, message },
});
const noRight = (path: string): Answer => refusal(403, `"${path}" is forbidden: User "ann" cannot get resource "x"`);

async function cluster(answers: Answers) {
  const asked: string[] = [];
  const server = await serve({
    onRequest: (request, response) => {
      void (async () => {
        const { pathname: path } = new URL(request.url ?? "", "http://localhost");
        const body = request.method === "POST" ? ((await json(request)) as Posted) : undefined;
        asked.push(`${request.method} ${request.url}`);
        const { status, body: answer } = answers(path, body, request) ?? refusal(404, `${path} not found`);
        answerJson(response, answer, status);
      })();
    },
  });
  opened.push(server);
  return { ...server, asked };
}

const node = {
  metadata: { name: "a" },
  status: {
    conditions: [{ type: "Ready", status: "True" }],
    nodeInfo: { kubeletVersion: "v1.36.3", kernelVersion: "6.12.1", operatingSystem: "linux", architecture: "amd64" },
  },
};

/** A cluster without webhook, whose namespace enforces restricted. */
const restricted: Answers = (path, posted) => {
  if (path === "/version") return { body: { gitVersion: "v1.36.3" } };
  if (path === "/api/v1/nodes") return { body: { items: [node] } };
  if (path === "/api/v1/namespaces/org1") {
    return { body: { metadata: { name: "org1", labels: { "pod-security.kubernetes.io/enforce": "restricted" } } } };
  }
  if (posted?.kind === "Pod") {
    const privileged = posted.spec.initContainers?.some(({ securityContext }) => securityContext?.privileged);
    return privileged
      ? refusal(
          403,
          'pods "kubectl-fabric-doctor-x" is forbidden: violates PodSecurity "restricted:latest": privileged',
        )
      : { body: posted };
  }
  if (posted?.kind === "SelfSubjectAccessReview") {
    const { resource, verb } = posted.spec.resourceAttributes ?? {};
    return { body: { ...posted, status: { allowed: !(resource === "secrets" && verb === "create") } } };
  }
  return path.startsWith("/apis/node.k8s.io/v1") && !path.endsWith("runtimeclasses")
    ? { body: { resources: [{ name: "runtimeclasses", kind: "RuntimeClass", namespaced: false }] } }
    : path.split("/").length > 6 && !path.endsWith("/pods")
      ? undefined
      : { body: { items: [] } };
};
const { signal } = new AbortController();

describe("kubectl fabric doctor", () => {
  test("tells which profile a namespace can have by asking for such Pods, and creates none", async () => {
    const { cluster: of, asked } = await cluster(restricted);
    const report = await examine(of, ["org1"], undefined, signal);
    expect(report.namespaces).toMatchObject([{ name: "org1", recommended: "restricted" }]);
    const privileged = report.namespaces[0]?.profiles.find(({ profile }) => profile === "privileged");
    expect(privileged).toMatchObject({
      possible: "no",
      because: 'violates PodSecurity "restricted:latest": privileged',
    });
    expect(report.findings.map(({ text }) => text)).toContainEqual(expect.stringContaining("create Secret"));
    const writes = asked.filter((line) => !line.startsWith("GET ") && !line.includes("selfsubjectaccessreviews"));
    expect(writes.length).toBeGreaterThan(2);
    for (const line of writes) expect(line).toMatch(/^POST \/api\/v1\/namespaces\/org1\/pods\?.*dryRun=All/);
  });

  test("survives that nothing may be looked at", async () => {
    const { cluster: of } = await cluster((path, posted) =>
      posted?.kind === "Pod"
        ? refusal(403, 'pods is forbidden: User "ann" cannot create resource "pods"')
        : noRight(path),
    );
    const report = await examine(of, undefined, undefined, signal);
    expect(report.namespaces).toMatchObject([{ name: "default" }]);
    expect(new Set(report.findings.map(({ level }) => level))).toEqual(new Set(["unknown"]));
    for (const { text } of report.findings.filter(({ hint }) => hint === undefined))
      expect(text).toMatch(/rights are missing|cannot/);
    expect(report.healthy).toBe(true);
  });

  test("a namespace that is not there is said, not thrown", async () => {
    const { cluster: of } = await cluster((path, posted, request) =>
      path === "/api/v1/namespaces/org1" || posted?.kind === "Pod"
        ? refusal(404, 'namespaces "org1" not found')
        : restricted(path, posted, request),
    );
    const { findings, healthy } = await examine(of, ["org1"], undefined, signal);
    // Nothing else: what one may do there, and which profiles run there, nobody knows.
    expect(findings.filter(({ about }) => about === "namespace org1")).toEqual([
      {
        level: "problem",
        about: "namespace org1",
        text: "expected the namespace org1, found none",
        hint: typedAs("kubectl fabric init makes those of a network; else kubectl create namespace org1"),
      },
    ]);
    expect(healthy).toBe(false);
  });

  test("credentials that are not taken end it", async () => {
    const { cluster: of } = await cluster(() => refusal(401, "Unauthorized"));
    await expect(examine(of, ["org1"], undefined, signal)).rejects.toMatchObject({ code: "forbidden" });
  });

  test("as a command: lines with hints, JSON, and the exit code 3", async () => {
    const { url } = await cluster(restricted);
    const folder = await mkdtemp(join(tmpdir(), "doctor-"));
    const kubeconfig = join(folder, "config");
    const run = async (...argv: readonly string[]) => {
      let stdout = "";
      const out = new Writable({ write: (chunk: Buffer, _, done) => (done(), void (stdout += chunk.toString())) });
      const terminal = { stdout: out, stderr: out, stdin: Readable.from([]), env: {}, signal };
      const before = process.exitCode;
      await newProgram(terminal).parseAsync(["--kubeconfig", kubeconfig, ...argv], { from: "user" });
      const code = process.exitCode;
      process.exitCode = before;
      return { stdout, code };
    };
    try {
      await writeFile(
        kubeconfig,
        JSON.stringify({
          clusters: [{ name: "c", cluster: { server: url } }],
          contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
          users: [{ name: "u", user: {} }],
          "current-context": "c",
        }),
      );
      const text = await run("doctor", "-n", "org1");
      expect(text.code).toBe(3); // no webhook
      expect(text.stdout).toMatch(
        /^problem {2}webhook +it is not installed.*\n +hint: kubectl fabric --kubeconfig \S+ webhook install$/m,
      );
      expect(text.stdout).toMatch(/^context c: \d+ ok, \d+ warning, 1 problem, \d+ unknown$/m);
      const { stdout } = await run("doctor", "-n", "org1", "-o", "json");
      expect(JSON.parse(stdout) as DoctorReport).toMatchObject({ healthy: false, context: "c" });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
