import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parse, stringify } from "yaml";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { inspectContainer, containerLog, listContainers, removeContainer } from "../../core/docker/containers.ts";
import { newEngine, type Engine } from "../../core/docker/engine.ts";
import {
  inspectImage,
  listImages,
  loadImageFile,
  pullImage,
  removeImage,
  saveImages,
  tagImage,
} from "../../core/docker/images.ts";
import { apply, applyDryRun } from "../../core/kubernetes/apply.ts";
import type { V1Container, V1Pod, V1PodSpec, V1StatefulSet } from "../../core/kubernetes/client-node.ts";
import { connectCluster, type Cluster } from "../../core/kubernetes/cluster.ts";
import { claimBound, gone, podReady, rolledOut } from "../../core/kubernetes/conditions.ts";
import { servesKind } from "../../core/kubernetes/discovery.ts";
import { execCapture, execStream } from "../../core/kubernetes/exec.ts";
import { logLines } from "../../core/kubernetes/logs.ts";
import { create, createOrGet, get, list, patch, remove } from "../../core/kubernetes/objects.ts";
import { missingPermissions } from "../../core/kubernetes/permissions.ts";
import { forwardPort, openPort } from "../../core/kubernetes/port-forward.ts";
import { waitFor } from "../../core/kubernetes/wait.ts";
import { once as stage } from "../once.ts";
import { typedAs } from "../typed-as.ts";

const namespace = `kube-${process.pid}`;
const labels = { "app.kubernetes.io/managed-by": "kubectl-fabric" };
const { kubeconfig, nodeImage: image, nodeenvArchive = "" } = inject("cluster");
const transferBytes = 200 * 1024 * 1024;
/** What a transfer of any size may keep at a time. */
const flatBytes = 32 * 1024 * 1024;
let cluster: Cluster;

// echo | says bye | sends 200 MB | counts 200 MB | the same, but sleeps first
const program = `
const net = require("node:net");
const serve = (port, onClient, options = {}) => net.createServer(options, (s) => { s.on("error", () => {}); onClient(s) }).listen(port);
const count = (s) => { let n = 0; s.on("data", (d) => { n += d.length; if (n >= ${transferBytes}) s.end(String(n)) }) };
serve(7000, (s) => s.pipe(s));
serve(7001, (s) => s.end("bye"));
serve(7002, (s) => { let n = 0; const b = Buffer.alloc(65536, 1); const more = () => { while (n < ${transferBytes}) { n += b.length; if (!s.write(b)) return s.once("drain", more) } s.end() }; more() });
serve(7003, count);
serve(7004, (s) => { s.pause(); setTimeout(() => { count(s); s.resume() }, 2000) });
console.log("listening as " + process.env.HOSTNAME);
`;

const main = (command: string[], more: Partial<V1Container> = {}): V1Container =>
  Object.assign({ name: "main", image, imagePullPolicy: "IfNotPresent", command }, more);
const server = main(["node", "-e", program], { readinessProbe: { tcpSocket: { port: 7004 }, periodSeconds: 1 } });
const pod = (name: string, spec: Partial<V1PodSpec> & { containers: V1Container[] }): V1Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace, labels: { ...labels, app: name } },
  spec: { terminationGracePeriodSeconds: 0, ...spec },
});
const statefulSet = (name: string, container: V1Container, inNamespace = namespace): V1StatefulSet => ({
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { name, namespace: inNamespace, labels },
  spec: {
    replicas: 1,
    serviceName: name,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { ...labels, app: name } },
      spec: { terminationGracePeriodSeconds: 0, containers: [container] },
    },
  },
});
const config = (name: string, data: Record<string, string>) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace, labels },
  data,
});

beforeAll(async () => {
  cluster = await connectCluster({ kubeconfig });
  await apply(cluster, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } });
});
afterAll(async () => {
  await remove(cluster, { kind: "Namespace", name: namespace });
  await waitFor(cluster, { kind: "Namespace", name: namespace }, gone, { timeout: 120_000 });
  cluster.close();
});

describe("objects", () => {
  test("applied, changed, left alone; a dry run tells which", async () => {
    const one = config("one", { a: "1", b: "2" });
    expect(await applyDryRun(cluster, one)).toMatchObject({ change: "create" });
    expect((await apply(cluster, one)).change).toBe("created");
    expect(await applyDryRun(cluster, one)).toMatchObject({ change: "none", fields: [] });
    expect((await apply(cluster, one)).change).toBe("unchanged");
    const other = config("one", { a: "3" });
    const dryRun = await applyDryRun(cluster, other);
    expect([dryRun.change, dryRun.fields.toSorted()]).toEqual(["update", ["/data/a", "/data/b"]]);
    expect((await get(cluster, { kind: "ConfigMap", namespace, name: "one" }))?.data).toEqual({ a: "1", b: "2" });
    expect((await apply(cluster, other)).object.data).toEqual({ a: "3" });
  });

  test("what others made is not overwritten", async () => {
    const foreign = {
      ...config("foreign", { a: "theirs" }),
      metadata: { name: "foreign", namespace, labels: { "app.kubernetes.io/managed-by": "Helm" } },
    };
    await create(cluster, foreign);
    const refusal = {
      code: "conflict",
      message: `expected ConfigMap ${namespace}/foreign not to exist or to be ours, found one managed by Helm`,
    };
    await expect(apply(cluster, config("foreign", { a: "ours" }))).rejects.toMatchObject(refusal);
    await expect(applyDryRun(cluster, config("foreign", { a: "ours" }))).rejects.toMatchObject(refusal);
    expect((await get(cluster, { kind: "ConfigMap", namespace, name: "foreign" }))?.data).toEqual({ a: "theirs" });
  });

  test("a field that another manager has taken is a conflict that names both", async () => {
    await apply(cluster, config("shared", { a: "1" }));
    await cluster.call({
      method: "PATCH",
      path: `/api/v1/namespaces/${namespace}/configmaps/shared`,
      query: { fieldManager: "somebody" },
      contentType: "application/merge-patch+json",
      body: { data: { a: "2" } },
    });
    await expect(apply(cluster, config("shared", { a: "3" }))).rejects.toMatchObject({
      code: "conflict",
      message: `ConfigMap ${namespace}/shared: .data.a belongs to somebody`,
    });
  });

  test("created once, read, patched, listed, removed", async () => {
    const made = await create(cluster, config("once", { a: "1" }));
    expect(made.metadata).toMatchObject({ creationTimestamp: expect.any(Date) as Date });
    await expect(create(cluster, config("once", {}))).rejects.toMatchObject({ code: "conflict" });
    expect(await createOrGet(cluster, config("once", {}))).toMatchObject({
      created: false,
      object: { data: { a: "1" } },
    });
    const ref = { kind: "ConfigMap", namespace, name: "once" } as const;
    expect((await patch(cluster, ref, { type: "merge", patch: { data: { b: "2" } } })).data).toEqual({
      a: "1",
      b: "2",
    });
    const listed = await list(cluster, { kind: "ConfigMap", namespace, labels });
    expect(listed.map(({ metadata }) => metadata?.name)).toContain("once");
    await expect(remove(cluster, ref, { uid: "00000000-0000-0000-0000-000000000000" })).rejects.toMatchObject({
      code: "conflict",
    });
    expect([await remove(cluster, ref), await remove(cluster, ref), await get(cluster, ref)]).toEqual([
      true,
      false,
      undefined,
    ]);
  });

  test("a NetworkPolicy comes back as client-node types it", async () => {
    const policy = {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "in", namespace, labels },
      spec: { podSelector: {}, ingress: [{ _from: [{ namespaceSelector: {} }] }] },
    };
    expect((await apply(cluster, policy)).object.spec.ingress).toEqual([{ _from: [{ namespaceSelector: {} }] }]);
    await remove(cluster, { kind: "NetworkPolicy", namespace, name: "in" });
  });

  test("a kind that we do not know is found by discovery", async () => {
    const priority = { kind: "PriorityClass", apiVersion: "scheduling.k8s.io/v1", name: "system-node-critical" };
    expect(await get(cluster, priority)).toMatchObject({ value: 2_000_001_000 });
    await expect(get(cluster, { kind: "Nonsense", apiVersion: "apps/v1", name: "x" })).rejects.toMatchObject({
      code: "not-found",
    });
    expect([
      await servesKind(cluster, "Deployment", "apps/v1"),
      await servesKind(cluster, "Peer", "fabric.example/v1"),
    ]).toEqual([true, false]);
  });
});

describe("rights", () => {
  test("what a user may not do is told with the command that asks", async () => {
    const directory = await mkdtemp(join(tmpdir(), "kube-"));
    try {
      const nobody = await connectCluster({ kubeconfig: await asNobody(join(directory, "config")) });
      await expect(list(nobody, { kind: "Pod", namespace })).rejects.toMatchObject({
        code: "forbidden",
        hint: typedAs(`kubectl auth can-i list pods -n ${namespace}`),
      });
      const wanted = { verb: "create", kind: "Pod", subresource: "portforward", namespace } as const;
      expect(await missingPermissions(nobody, [wanted])).toEqual([wanted]);
      expect(await missingPermissions(cluster, [wanted])).toEqual([]);
      await expect(openPort(nobody, { namespace, pod: "x", port: 1 })).rejects.toMatchObject({ code: "forbidden" });
      nobody.close();
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

/** A copy of a kubeconfig whose users act as somebody without rights. */
async function asNobody(file: string): Promise<string> {
  const config = parse(await readFile(kubeconfig, "utf8")) as {
    users: { name: string; user: object }[];
  };
  const users = config.users.map(({ name, user }) => ({ name, user: { ...user, as: "nobody" } }));
  await writeFile(file, stringify({ ...config, users }));
  return file;
}

describe("waiting, and why it takes long", () => {
  const failing = async (spec: Partial<V1PodSpec> & { containers: V1Container[] }, name: string, timeout: number) => {
    await apply(cluster, pod(name, spec));
    const ref = { kind: "Pod", namespace, name } as const;
    const outcome = waitFor(cluster, ref, podReady, { timeout });
    await expect(outcome).rejects.toThrow(/./);
    await remove(cluster, ref);
    return outcome.catch((error: unknown) => error);
  };

  test("no node takes the Pod", async () => {
    const nodeSelector = { "no.such/label": "x" };
    expect(await failing({ nodeSelector, containers: [main(["true"])] }, "unschedulable", 3000)).toMatchObject({
      code: "timeout",
      message: expect.stringMatching(/no node takes the Pod: 0\/1 nodes are available.*(affinity|selector)/) as string,
    });
  });

  test("an image that is not there ends the wait at once", async () => {
    const containers = [main(["true"], { image: "docker.io/local/absent:1", imagePullPolicy: "Never" })];
    expect(await failing({ containers }, "imageless", 60_000)).toMatchObject({
      code: "not-ready",
      message: expect.stringContaining(
        "container main has no image docker.io/local/absent:1 (ErrImageNeverPull)",
      ) as string,
    });
  });

  test("a claim of a class that does not exist", async () => {
    const claim = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: "unbound", namespace, labels },
      spec: {
        storageClassName: "no-such",
        accessModes: ["ReadWriteOnce"],
        resources: { requests: { storage: "1Gi" } },
      },
    };
    await apply(cluster, claim);
    const volumes = [{ name: "data", persistentVolumeClaim: { claimName: "unbound" } }];
    expect(await failing({ volumes, containers: [main(["true"])] }, "diskless", 3000)).toMatchObject({
      code: "timeout",
      message: expect.stringContaining("claim unbound is Pending (storage class no-such)") as string,
    });
    await expect(
      waitFor(cluster, { kind: "PersistentVolumeClaim", namespace, name: "unbound" }, claimBound, { timeout: 500 }),
    ).rejects.toMatchObject({
      code: "timeout",
    });
  });

  test("a container that ends again and again", async () => {
    expect(
      await failing(
        { containers: [main(["sh", "-c", "exit 7"], { readinessProbe: { tcpSocket: { port: 1 } } })] },
        "crashing",
        8000,
      ),
    ).toMatchObject({
      code: "timeout",
      message: expect.stringMatching(/container main ended (once|\d times), last with exit code 7/) as string,
    });
  });

  test("Pods that Pod Security refuses, told while waiting and after", async () => {
    const restricted = `${namespace}-restricted`;
    const level = { "pod-security.kubernetes.io/enforce": "restricted" };
    await apply(cluster, {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: restricted, labels: { ...labels, ...level } },
    });
    const privileged = main(["sleep", "1000"], { securityContext: { privileged: true } });
    await apply(cluster, statefulSet("refused", privileged, restricted));
    const told: string[] = [];
    const wait = waitFor(cluster, { kind: "StatefulSet", namespace: restricted, name: "refused" }, rolledOut, {
      timeout: 4000,
      progress: (line) => told.push(line),
    });
    await expect(wait).rejects.toMatchObject({
      code: "timeout",
      message: expect.stringContaining('violates PodSecurity "restricted:latest"') as string,
      hint: typedAs(expect.stringContaining(`kubectl label namespace ${restricted}`)),
    });
    expect(told.some((line) => line.includes("violates PodSecurity"))).toBe(true);
    await remove(cluster, { kind: "Namespace", name: restricted });
  });

  test("a workload whose Pod will never run ends the wait, the repaired one does not", async () => {
    const ref = { kind: "StatefulSet", namespace, name: "repaired" } as const;
    await apply(
      cluster,
      statefulSet("repaired", main(["sleep", "1000"], { image: "docker.io/local/absent:1", imagePullPolicy: "Never" })),
    );
    await expect(waitFor(cluster, ref, rolledOut, { timeout: 60_000 })).rejects.toMatchObject({
      code: "not-ready",
      message: expect.stringContaining("Pod repaired-0: container main has no image") as string,
    });
    await apply(cluster, statefulSet("repaired", main(["sleep", "1000"])));
    // A StatefulSet does not replace a Pod that never became ready (kubernetes#67250).
    await remove(cluster, { kind: "Pod", namespace, name: "repaired-0" });
    expect((await waitFor(cluster, ref, rolledOut, { timeout: 60_000 }))?.status?.readyReplicas).toBe(1);
    await remove(cluster, ref);
  });
});

describe("streams", () => {
  const port = (number: number) => ({ namespace, pod: "server-0", port: number });
  const inServer = (...command: string[]) => ({ namespace, pod: "server-0", container: "main", command });

  beforeAll(async () => {
    await apply(cluster, statefulSet("server", server));
    await waitFor(cluster, { kind: "StatefulSet", namespace, name: "server" }, rolledOut, { timeout: 60_000 });
  });

  test("bytes come back", async () => {
    const stream = await openPort(cluster, port(7000));
    stream.write("hello");
    expect(String((await once(stream, "data"))[0])).toBe("hello");
    stream.end();
    stream.resume();
    await once(stream, "close");
  });

  test("the other side's end is the end", async () => {
    expect(await text(await openPort(cluster, port(7001)))).toBe("bye");
  });

  test("a port where nothing listens, a Pod that is not there", async () => {
    await expect(text(await openPort(cluster, port(9999)))).rejects.toMatchObject({
      code: "connection",
      message: `port 9999 of Pod ${namespace}/server-0: connection refused`,
    });
    await expect(openPort(cluster, { namespace, pod: "absent", port: 1 })).rejects.toMatchObject({ code: "not-found" });
  });

  test("200 MB from the Pod in flat memory, from a slow reader, too", async () => {
    await receive(await openPort(cluster, port(7002)));
    const memory = watchMemory();
    expect(await receive(await openPort(cluster, port(7002)))).toBe(transferBytes);
    const slow = await openPort(cluster, port(7002));
    await sleep(1000);
    expect(slow.readableLength).toBeLessThan(1024 * 1024);
    expect(await receive(slow)).toBe(transferBytes);
    expect(memory.growth()).toBeLessThan(flatBytes);
  });

  test("200 MB to the Pod in flat memory, to a slow one, too", async () => {
    const memory = watchMemory();
    for (const number of [7003, 7004]) {
      const stream = await openPort(cluster, port(number));
      const answer = once(stream, "data");
      await send(stream);
      expect(String((await answer)[0])).toBe(String(transferBytes));
      stream.destroy();
    }
    expect(memory.growth()).toBeLessThan(flatBytes);
  });

  test("a forward: many clients, a Pod that is made anew, an end", async () => {
    const forward = await forwardPort(cluster, { namespace, workload: "StatefulSet", name: "server", port: 7000 });
    const echo = async (line: string) => {
      const client = connect(forward.port, forward.host);
      client.write(line);
      const [data] = (await once(client, "data")) as [Buffer];
      client.destroy();
      return data.toString();
    };
    expect(await Promise.all(["a", "b", "c"].map(echo))).toEqual(["a", "b", "c"]);
    const before = await get(cluster, { kind: "Pod", namespace, name: "server-0" });
    const held = connect(forward.port, forward.host);
    held.on("error", () => {});
    held.write("x");
    await once(held, "data");
    const cut = new Promise((resolve) => held.once("close", resolve));
    held.resume();
    await remove(cluster, { kind: "Pod", namespace, name: "server-0" }, { gracePeriodSeconds: 0 });
    await cut;
    await waitFor(cluster, { kind: "Pod", namespace, name: "server-0" }, (now) =>
      now?.metadata?.uid === before?.metadata?.uid ? { so: false, progress: "still the old one" } : podReady(now),
    );
    expect(await echo("again")).toBe("again");
    await forward.close();
    await expect(once(connect(forward.port, forward.host), "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("a forward to a port where nothing listens resets its clients and knows why", async () => {
    const forward = await forwardPort(cluster, port(9999));
    await expect(text(connect(forward.port, forward.host))).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(forward.lastFailure()?.message).toContain("connection refused");
    await forward.close();
  });

  test("commands: input, output, errors, exit code", async () => {
    const { stdout, ...exit } = await execCapture(cluster, inServer("sh", "-c", "cat; echo warning >&2; exit 3"), {
      stdin: "input",
    });
    expect([String(stdout), exit]).toEqual(["input", { code: 3, stderr: "warning\n" }]);
    await expect(execCapture(cluster, inServer("no-such-command"))).rejects.toMatchObject({ code: "not-found" });
    await expect(execCapture(cluster, { ...inServer("true"), container: "absent" })).rejects.toMatchObject({
      code: "invalid",
    });
  });

  test("200 MB through a command, each way, in flat memory", async () => {
    const memory = watchMemory();
    const source = await execStream(cluster, inServer("head", "-c", String(transferBytes), "/dev/zero"));
    expect(await receive(source)).toBe(transferBytes);
    expect(await source.exit).toEqual({ code: 0, stderr: "" });
    const sink = await execStream(cluster, inServer("sh", "-c", "sleep 1; wc -c"));
    const counted = text(sink);
    await send(sink);
    sink.end();
    expect((await counted).trim()).toBe(String(transferBytes));
    expect(memory.growth()).toBeLessThan(flatBytes);
  });

  test("an interruption ends a command", async () => {
    const interrupt = new AbortController();
    const stream = await execStream(cluster, inServer("sleep", "1000"), interrupt.signal);
    interrupt.abort();
    await expect(text(stream)).rejects.toMatchObject({ code: "interrupted" });
    await expect(stream.exit).rejects.toMatchObject({ code: "interrupted" });
  });

  test("logs, to their end and onwards", async () => {
    const said: string[] = [];
    for await (const line of logLines(cluster, { namespace, pod: "server-0" })) said.push(line);
    expect(said).toEqual(["listening as server-0"]);
    await apply(
      cluster,
      pod("clock", {
        restartPolicy: "Never",
        containers: [main(["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.3; done"])],
      }),
    );
    await waitFor(cluster, { kind: "Pod", namespace, name: "clock" }, (it) =>
      it?.status?.phase === "Pending" ? { so: false, progress: "" } : { so: true },
    );
    const followed: string[] = [];
    for await (const line of logLines(cluster, { namespace, pod: "clock", follow: true })) followed.push(line);
    expect(followed).toEqual(["1", "2", "3"]);
  });

  test("nothing keeps the process when everything is closed", async () => {
    const root = new URL("../../core/kubernetes/", import.meta.url).href;
    const script = `
      const { connectCluster } = await import("${root}cluster.ts");
      const { forwardPort, openPort } = await import("${root}port-forward.ts");
      const { get } = await import("${root}objects.ts");
      const cluster = await connectCluster();
      await get(cluster, { kind: "Namespace", name: "default" });
      const stream = await openPort(cluster, { namespace: "${namespace}", pod: "server-0", port: 7001 });
      for await (const _ of stream) {}
      await (await forwardPort(cluster, { namespace: "${namespace}", pod: "server-0", port: 7000 })).close();
      console.log("done");
    `;
    const env = { ...process.env, KUBECONFIG: kubeconfig };
    const child = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      env,
      timeout: 20_000,
    });
    expect(child.stdout).toBe("done\n");
  });
});

describe("a Docker daemon in a Pod", () => {
  let engine: Engine;
  const target = { namespace, pod: "docker", container: "dind" };
  const nodeenv = "hyperledger/fabric-nodeenv:2.5";

  beforeAll(async () => {
    const dind: V1Container = {
      name: "dind",
      image: "docker.io/library/docker:28-dind",
      imagePullPolicy: "IfNotPresent",
      restartPolicy: "Always",
      securityContext: { privileged: true },
      command: ["dockerd", "--host=unix:///run/dind/docker.sock"],
      env: [{ name: "DOCKER_HOST", value: "unix:///run/dind/docker.sock" }],
      startupProbe: { exec: { command: ["docker", "info"] }, periodSeconds: 1, failureThreshold: 60 },
      volumeMounts: [
        { name: "graph", mountPath: "/var/lib/docker" },
        { name: "socket", mountPath: "/run/dind" },
      ],
    };
    const volumes = [
      { name: "graph", emptyDir: {} },
      { name: "socket", emptyDir: {} },
    ];
    await apply(cluster, pod("docker", { initContainers: [dind], containers: [main(["sleep", "100000"])], volumes }));
    await waitFor(cluster, { kind: "Pod", namespace, name: "docker" }, podReady, { timeout: 120_000 });
    engine = newEngine(cluster, target);
  });
  afterAll(() => engine.close());

  const loaded = stage(async () => {
    const before = [await listImages(engine), await inspectImage(engine, nodeenv)];
    const memory = watchMemory();
    const told: string[] = [];
    const names = await loadImageFile(engine, nodeenvArchive, { progress: (line) => told.push(line) });
    return { before, names, told, growth: memory.growth() };
  });

  test.skipIf(nodeenvArchive === "")("images: loaded, found, named, saved, removed", async () => {
    const { before, names, told, growth } = await loaded();
    expect(before).toEqual([[], undefined]);
    expect(names).toContain(nodeenv);
    expect(told.at(-1)).toMatch(/^\d+ of \d+ MB sent$/);
    expect(growth).toBeLessThan(flatBytes);
    const name = "dev-peer0-basic_1-00:latest";
    await tagImage(engine, nodeenv, name);
    expect((await inspectImage(engine, name))?.Id).toBe((await inspectImage(engine, nodeenv))?.Id);
    expect((await listImages(engine, "dev-*")).map(({ RepoTags }) => RepoTags?.includes(name))).toEqual([true]);
    let saved = 0;
    for await (const chunk of await saveImages(engine, [name])) saved += (chunk as Buffer).length;
    expect(saved).toBeGreaterThan(50e6);
    expect([await removeImage(engine, name), await removeImage(engine, name)]).toEqual([true, false]);
  });

  test("an image that cannot be pulled says why", async () => {
    await expect(pullImage(engine, "registry.invalid/fabric-nodeenv:2.5")).rejects.toMatchObject({
      code: "rejected",
      message: expect.stringContaining("registry.invalid") as string,
    });
  });

  test.skipIf(nodeenvArchive === "")("containers: listed, read, removed", async () => {
    await loaded();
    const body = {
      Image: nodeenv,
      Cmd: ["sh", "-c", "echo out; echo err >&2; exit 4"],
      HostConfig: { NetworkMode: "host" },
    };
    await engine.call({ method: "POST", path: "/containers/create", query: { name: "dev-peer0-basic" }, body });
    await engine.call({ method: "POST", path: "/containers/dev-peer0-basic/start" });
    await engine.call({ method: "POST", path: "/containers/dev-peer0-basic/wait" });
    // Docker answers who waits before it writes down what it lists.
    const listed = async () => (await listContainers(engine, "dev-")).map(({ Names, State }) => [Names, State]);
    await expect.poll(listed).toEqual([[["/dev-peer0-basic"], "exited"]]);
    expect((await inspectContainer(engine, "dev-peer0-basic"))?.State.ExitCode).toBe(4);
    const said = (await text(await containerLog(engine, "dev-peer0-basic"))).split("\n").toSorted();
    expect(said).toEqual(["", "err", "out"]);
    expect([
      await removeContainer(engine, "dev-peer0-basic"),
      await removeContainer(engine, "dev-peer0-basic"),
    ]).toEqual([true, false]);
    expect(await inspectContainer(engine, "dev-peer0-basic")).toBeUndefined();
  });

  test("one connection serves many calls", async () => {
    for (let i = 0; i < 30; i++) await listContainers(engine);
    const { stdout } = await execCapture(cluster, { ...target, command: ["sh", "-c", "ps | grep -c '[d]ial-stdio'"] });
    expect(Number(String(stdout))).toBeLessThanOrEqual(2);
  });

  test("no daemon, no docker command, no container", async () => {
    const version = { method: "GET", path: "/version" } as const;
    const without = newEngine(cluster, { ...target, host: "unix:///run/absent.sock" });
    await expect(without.call(version)).rejects.toMatchObject({
      code: "not-ready",
      message: expect.stringContaining("/run/absent.sock") as string,
    });
    const elsewhere = newEngine(cluster, { ...target, container: "main" });
    await expect(elsewhere.call(version)).rejects.toMatchObject({ code: "not-found" });
    const nowhere = newEngine(cluster, { ...target, pod: "absent" });
    await expect(nowhere.call(version)).rejects.toMatchObject({ code: "not-found" });
  });
});

async function receive(stream: Duplex): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) bytes += (chunk as Buffer).length;
  return bytes;
}

async function send(stream: Duplex): Promise<void> {
  const block = Buffer.alloc(64 * 1024, 2);
  for (let sent = 0; sent < transferBytes; sent += block.length) if (!stream.write(block)) await once(stream, "drain");
}

/**
 * How much more the living objects of this process take at most from now on, in bytes: what the collector has not yet
 * looked at is not counted, for on a busy machine that is any amount.
 */
function watchMemory(): { growth(): number } {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const living = (): number => {
    // Buffers that the first finds dead are given back beside us, and counted until that is done: the second begins by waiting for it.
    collect();
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = living();
  let peak = before;
  const timer = setInterval(() => (peak = Math.max(peak, living())), 500);
  return {
    growth: () => {
      clearInterval(timer);
      return Math.max(peak, living()) - before;
    },
  };
}
