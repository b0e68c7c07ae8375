// What an API server that restarts, or a proxy before it, does to single calls.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { apply } from "../../../../core/kubernetes/apply.ts";
import { managedBy } from "../../../../core/kubernetes/ownership.ts";
import type { ConnectOptions } from "../../../../core/kubernetes/cluster.ts";
import { execCapture } from "../../../../core/kubernetes/exec.ts";
import { create, createOrGet, get, remove } from "../../../../core/kubernetes/objects.ts";
import { podReady } from "../../../../core/kubernetes/conditions.ts";
import { waitFor } from "../../../../core/kubernetes/wait.ts";
import { FabricError, LostConnection } from "../../../../core/error.ts";
import { answerJson, clusterAt, serve, type Script, type ScriptedServer } from "./api-server.ts";
import { tlsServer } from "./tls-server.ts";

const opened: ScriptedServer[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});
async function serving(script: Script, options: Partial<ConnectOptions> = {}): Promise<ScriptedServer> {
  const server = await serve(script, options);
  opened.push(server);
  return server;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const fine: Answer = (_, response) => answerJson(response, secret);
const cut: Answer = (request) => request.socket.resetAndDestroy();
const status =
  (code: number): Answer =>
  (_, response) =>
    answerJson(response, { kind: "Status", code, message: `told ${code}` }, code);

/** Gives the n-th answer to the n-th request, after one that tells that the server is there. */
async function answering(answers: readonly Answer[], options: Partial<ConnectOptions> = {}) {
  const asked: string[] = [];
  const { cluster } = await serving(
    {
      onRequest: (request, response) => {
        if (request.url === "/version") return answerJson(response, {});
        const answer = answers[asked.push(request.method ?? "") - 1];
        return answer?.(request, response);
      },
    },
    options,
  );
  await cluster.call({ method: "GET", path: "/version" });
  return { cluster, asked };
}

const labels = managedBy;
const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace: "a", uid: "u1", labels } };
const ref = { kind: "Secret", namespace: "a", name: "s" } as const;

describe("what is read, applied, or removed by its uid, is sent again", () => {
  test.each([
    ["a connection that was cut", cut],
    ["429", status(429)],
    ["502", status(502)],
    ["503", status(503)],
    ["504", status(504)],
  ])("after %s", async (_, passing) => {
    const read = await answering([passing, passing, fine]);
    expect((await get(read.cluster, ref))?.metadata?.uid).toBe("u1");
    expect(read.asked).toEqual(["GET", "GET", "GET"]);

    const applied = await answering([fine, passing, fine]);
    expect((await apply(applied.cluster, secret)).change).toBe("unchanged");
    expect(applied.asked).toEqual(["GET", "PATCH", "PATCH"]);

    const removed = await answering([passing, fine]);
    expect(await remove(removed.cluster, ref, { uid: "u1" })).toBe(true);
    expect(removed.asked).toEqual(["DELETE", "DELETE"]);
  });

  test("an answer that is cut in the middle is asked for again", async () => {
    const half: Answer = (request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write('{"half":');
      setImmediate(() => request.socket.destroy());
    };
    const { cluster } = await answering([half, fine]);
    expect((await get(cluster, ref))?.metadata?.uid).toBe("u1");
  });

  test("what was removed before its answer was lost was removed, also where there is another by now", async () => {
    const gone = await answering([cut, status(404)]);
    expect(await remove(gone.cluster, ref, { uid: "u1" })).toBe(true);
    const found =
      (metadata: object): Answer =>
      (_, response) =>
        answerJson(response, { ...secret, metadata: { ...secret.metadata, ...metadata } });
    for (const metadata of [{ uid: "u2" }, { deletionTimestamp: "2026-01-01T00:00:00Z" }]) {
      const replaced = await answering([cut, status(409), found(metadata)]);
      expect(await remove(replaced.cluster, ref, { uid: "u1", resourceVersion: "7" })).toBe(true);
    }
    // What did not arrive has not made the conflict, and what is still there has another reason for it.
    for (const answers of [[status(409)], [status(429), status(409)], [cut, status(409), fine]]) {
      const another = await answering(answers);
      await expect(remove(another.cluster, ref, { uid: "u1" })).rejects.toMatchObject({ code: "conflict" });
    }
    const absent = await answering([status(429), status(404)]);
    expect(await remove(absent.cluster, ref, { uid: "u1" })).toBe(false);
  });
});

describe("what would be done twice is not", () => {
  test.each([
    ["the connection was cut", cut],
    ["told 502", status(502)],
    ["told 503", status(503)],
    ["told 504", status(504)],
  ])("after: %s", async (said, passing) => {
    const created = await answering([passing, fine]);
    await expect(create(created.cluster, secret)).rejects.toThrow(said);
    expect(created.asked).toEqual(["POST"]);
    const removed = await answering([passing, fine]);
    await expect(remove(removed.cluster, ref)).rejects.toThrow(said);
    expect(removed.asked).toEqual(["DELETE"]);
  });

  test("of 429 nothing has been done", async () => {
    const { cluster, asked } = await answering([status(429), fine]);
    expect((await create(cluster, secret)).metadata.uid).toBe("u1");
    expect(asked).toEqual(["POST", "POST"]);
  });

  test("what is made or read is one that was made before its answer was lost", async () => {
    const { cluster, asked } = await answering([cut, status(409), fine]);
    const { object, created } = await createOrGet(cluster, secret);
    expect({ uid: object.metadata.uid, created }).toEqual({ uid: "u1", created: false });
    expect(asked).toEqual(["POST", "POST", "GET"]);
  });

  test("a command in a container, whose connection is cut in the handshake: a lost connection", async () => {
    let handshakes = 0;
    const { cluster } = await serving({
      onRequest: (_, response) => answerJson(response, {}),
      onUpgrade: (connection) => {
        handshakes++;
        connection.destroy();
      },
    });
    await cluster.call({ method: "GET", path: "/version" });
    const target = { namespace: "a", pod: "p", container: "c", command: ["true"] };
    await expect(execCapture(cluster, target)).rejects.toBeInstanceOf(LostConnection);
    expect(handshakes).toBe(1);
  });
});

describe("an API server that is away", () => {
  test("is waited for if it has answered before, and that is said once", async () => {
    const said: string[] = [];
    const { port, comesBack } = await restarting();
    const { cluster } = clusterAtPort(port, { onAway: (because) => void said.push(because) });
    await cluster.call({ method: "GET", path: "/version" });
    await comesBack.goes();
    const calls = Promise.all([get(cluster, ref), create(cluster, secret)]);
    await expect.poll(() => said.length, { timeout: 10_000 }).toBe(1);
    await comesBack.comes();
    const [read, made] = await calls;
    expect([read?.metadata?.uid, made.metadata.uid]).toEqual(["u1", "u1"]);
    expect(said).toEqual([
      `expected an answer from http://127.0.0.1:${port} (context "scripted"), got: connection refused`,
    ]);
  });

  test("is waited for by what puts away what was made, a little", async () => {
    let asked = 0;
    const { cluster } = await serving({
      onRequest: (_, response) => {
        if (asked++ === 0) answerJson(response, { kind: "Status", code: 429 }, 429, { "retry-after": "0" });
        else answerJson(response, {});
      },
    });
    const interrupt = new AbortController();
    const interrupted = clusterAt(cluster.server, {}, {}, { signal: interrupt.signal });
    interrupt.abort();
    const lasting = interrupted.lasting();
    onTestFinished(() => lasting.close());
    expect(await remove(lasting, ref)).toBe(true);
    expect(asked).toBe(2);
  });

  test("that is back knows nobody's roles at first: what it forbids then is asked again", async () => {
    const { cluster, asked } = await answering([status(503), status(403), status(401), fine]);
    expect((await get(cluster, ref))?.metadata?.uid).toBe("u1");
    expect(asked).toHaveLength(4);
    const one = await answering([status(403), fine]);
    await expect(get(one.cluster, ref)).rejects.toMatchObject({ code: "forbidden" });
    expect(one.asked).toHaveLength(1);
  });

  test("that has been back for a while means what it forbids", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const forbidden = Array.from({ length: 100 }, () => status(403));
    const { cluster, asked } = await answering([status(503), fine, ...forbidden]);
    await get(cluster, ref);
    const call = get(cluster, ref).then(
      () => "done",
      (error: unknown) => error,
    );
    await expect.poll(() => asked.length, { timeout: 10_000 }).toBeGreaterThan(3);
    vi.advanceTimersByTime(21_000);
    expect(await call).toMatchObject({ code: "forbidden" });
  });

  test("ends a wait at its deadline with what was waited out, and at once", async () => {
    const { port, comesBack } = await restarting({ metadata: { resourceVersion: "1" }, items: [] });
    const { cluster } = clusterAtPort(port);
    const deadline = new AbortController();
    const wait = waitFor(cluster, { kind: "Pod", namespace: "a", name: "p" }, podReady, {
      signal: deadline.signal,
      progress: () => void comesBack.goes(),
    });
    setTimeout(() => deadline.abort(new FabricError("timeout", "gave up after 2 s")), 2000);
    await expect(wait).rejects.toMatchObject({
      code: "timeout",
      message: expect.stringMatching(/got: (connection refused|the connection was cut), to the end$/) as string,
    });
  });

  test("is waited for by all calls together no longer than by one", async () => {
    const { cluster, asked } = await answering(
      Array.from({ length: 20 }, () => status(503)),
      { patience: 500 },
    );
    await expect(get(cluster, ref)).rejects.toMatchObject({ httpStatus: 503 });
    const first = asked.length;
    expect(first).toBeGreaterThan(1);
    await sleep(600);
    await expect(get(cluster, ref)).rejects.toMatchObject({ httpStatus: 503 });
    expect(asked.length - first).toBe(1);
  });

  test("that was known is known to what still has to be done after a stop", async () => {
    const { port, comesBack } = await restarting();
    const { cluster } = clusterAtPort(port);
    await cluster.call({ method: "GET", path: "/version" });
    const lasting = cluster.lasting();
    await comesBack.goes();
    const answer = get(lasting, ref);
    // One that was not known would be given up at once.
    const gaveUp = answer.then(
      () => false,
      () => true,
    );
    expect(await Promise.race([gaveUp, sleep(500, false)])).toBe(false);
    await comesBack.comes();
    expect(await answer).toMatchObject({ kind: "Secret" });
    lasting.close();
  });

  test("is not waited for if it never was there", async () => {
    const { port, comesBack } = await restarting();
    await comesBack.goes();
    const said: string[] = [];
    const { cluster } = clusterAtPort(port, { onAway: (because) => void said.push(because) });
    await expect(get(cluster, ref)).rejects.toMatchObject({ code: "cluster-unreachable" });
    expect(said).toEqual([]);
  });

  test("ends the patience at last, and a deadline tells what was waited for", async () => {
    const { port, comesBack } = await restarting();
    const hasty = clusterAtPort(port, { patience: 300 }).cluster;
    const patient = clusterAtPort(port).cluster;
    for (const one of [hasty, patient]) await one.call({ method: "GET", path: "/version" });
    await comesBack.goes();
    await expect(get(hasty, ref)).rejects.toMatchObject({ code: "cluster-unreachable" });
    await expect(get(patient, ref, AbortSignal.timeout(500))).rejects.toMatchObject({
      code: "timeout",
      message: expect.stringMatching(/got: connection refused, to the end$/) as string,
    });
    const interrupt = new AbortController();
    const interrupted = get(patient, ref, interrupt.signal);
    setImmediate(() => interrupt.abort());
    await expect(interrupted).rejects.toMatchObject({ code: "interrupted" });
  });
});

describe("credentials that are refused before their time", () => {
  /** Counts its runs, and gives another token each time. */
  async function plugin() {
    const folder = await mkdtemp(join(tmpdir(), "credentials-"));
    onTestFinished(async () => rm(folder, { recursive: true }));
    const runs = join(folder, "runs");
    const apiVersion = "client.authentication.k8s.io/v1";
    const script = `echo run >> ${runs}; n=$(wc -l < ${runs}); sleep 0.2; printf '{"apiVersion":"${apiVersion}","status":{"token":"t%d"}}' $n`;
    const exec = { apiVersion, interactiveMode: "Never", command: "sh", args: ["-c", script] };
    return { exec, runs: async () => (await readFile(runs, "utf8")).trim().split("\n").length };
  }

  test("are asked for anew once, for all calls that wait", async () => {
    const { exec, runs } = await plugin();
    let valid = "Bearer t1";
    const { url, caData } = await tlsServer((request, response) => {
      const { authorization } = request.headers;
      if (authorization === valid) answerJson(response, { authorization });
      else answerJson(response, { kind: "Status", code: 401, message: "Unauthorized" }, 401);
    });
    const cluster = clusterAt(url, { exec }, { "certificate-authority-data": caData });
    const call = async () => cluster.call({ method: "POST", path: "/version", body: {} });
    const several = () => Promise.all([call(), call(), call(), call()]);
    expect(new Set((await several()).map((answer) => JSON.stringify(answer)))).toEqual(
      new Set(['{"authorization":"Bearer t1"}']),
    );
    expect(await runs()).toBe(1);
    valid = "Bearer t2";
    expect(await several()).toHaveLength(4);
    expect(await runs()).toBe(2);
    valid = "Bearer none";
    await expect(call()).rejects.toMatchObject({ httpStatus: 401 });
    expect(await runs()).toBe(3);
    cluster.close();
  });

  test("are renewed for a command in a container, too", async () => {
    const { exec, runs } = await plugin();
    const { url, caData } = await tlsServer(({ headers }, response) => {
      const code = headers.authorization === "Bearer t2" ? 404 : 401;
      answerJson(response, { kind: "Status", code, message: "no" }, code);
    });
    const cluster = clusterAt(url, { exec }, { "certificate-authority-data": caData });
    const target = { namespace: "a", pod: "p", container: "c", command: ["true"] };
    await expect(execCapture(cluster, target)).rejects.toMatchObject({ httpStatus: 404 });
    expect(await runs()).toBe(2);
    cluster.close();
  });

  test("are not sent twice where there are no others", async () => {
    let asked = 0;
    const { url, caData } = await tlsServer((_, response) => {
      asked++;
      answerJson(response, { kind: "Status", code: 401, message: "Unauthorized" }, 401);
    });
    const cluster = clusterAt(url, { token: "expired" }, { "certificate-authority-data": caData });
    await expect(cluster.call({ method: "GET", path: "/version" })).rejects.toMatchObject({ httpStatus: 401 });
    expect(asked).toBe(1);
    cluster.close();
  });
});

function clusterAtPort(port: number, options: Partial<ConnectOptions> = {}) {
  const cluster = clusterAt(`http://127.0.0.1:${port}`, {}, {}, options);
  onTestFinished(() => cluster.close());
  return { cluster };
}

/** A server that goes, and comes back at the same port. */
async function restarting(answer: object = secret) {
  let server: Server | undefined;
  const comes = async (port = 0) => {
    const next = createServer((_, response) => answerJson(response, answer));
    await new Promise<void>((resolve) => {
      next.listen(port, "127.0.0.1", resolve);
    });
    server = next;
    return (next.address() as AddressInfo).port;
  };
  const goes = async () => {
    const last = server;
    server = undefined;
    last?.closeAllConnections();
    await new Promise((resolve) => (last ? last.close(resolve) : resolve(undefined)));
  };
  const port = await comes();
  onTestFinished(goes);
  return { port, comesBack: { goes, comes: () => comes(port) } };
}
