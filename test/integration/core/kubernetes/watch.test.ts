import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { podReady } from "../../../../core/kubernetes/conditions.ts";
import { waitFor } from "../../../../core/kubernetes/wait.ts";
import { watch } from "../../../../core/kubernetes/watch.ts";
import { answerJson, serve, type ScriptedServer } from "./api-server.ts";
import { turns } from "./turns.ts";

let server: ScriptedServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const pod = (name: string, resourceVersion: string, ready = false) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "a", resourceVersion },
  status: { phase: "Running", conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
});
const line = (type: string, object: object) => `${JSON.stringify({ type, object })}\n`;

/** A server whose n-th list and n-th watch are as given. */
async function scripted(
  lists: readonly object[],
  watches: readonly ((response: ServerResponse, since: string) => void)[],
) {
  const listed: string[] = [];
  const watched: string[] = [];
  server = await serve({
    onRequest: (request: IncomingMessage, response) => {
      const { searchParams: query } = new URL(request.url ?? "", "http://x");
      if (!query.has("watch")) {
        answerJson(response, lists[listed.push("list") - 1]);
        return;
      }
      const since = query.get("resourceVersion") ?? "";
      const script = watches[watched.push(since) - 1];
      response.writeHead(200, { "content-type": "application/json" });
      response.flushHeaders();
      script?.(response, since);
    },
  });
  return { cluster: server.cluster, listed, watched };
}

const names = (state: ReadonlyMap<string, unknown>) => [...state.keys()].toSorted();

async function take<T>(count: number, generator: AsyncGenerator<T>): Promise<T[]> {
  const taken: T[] = [];
  for await (const one of generator) if (taken.push(one) === count) break;
  return taken;
}

describe("watch", () => {
  test("goes on where a watch ended, was cut, or had only a bookmark", async () => {
    const { cluster, listed, watched } = await scripted(
      [{ metadata: { resourceVersion: "1" }, items: [pod("p1", "1")] }],
      [
        (response) => response.end(line("ADDED", pod("p2", "2"))),
        (response) => {
          response.write(line("BOOKMARK", { metadata: { resourceVersion: "9" } }));
          void turns().then(() => response.destroy());
        },
        (response) => response.write(line("DELETED", pod("p1", "10"))),
      ],
    );
    const states: string[][] = [];
    for await (const state of watch(cluster, { kind: "Pod", namespace: "a" }, new AbortController().signal)) {
      if (states.push(names(state)) === 3) break;
    }
    expect(states).toEqual([["a/p1"], ["a/p1", "a/p2"], ["a/p2"]]);
    expect(listed).toHaveLength(1);
    expect(watched).toEqual(["1", "2", "9"]);
  });

  test.each([
    [
      "within a watch",
      (response: ServerResponse) => response.end(line("ERROR", { kind: "Status", code: 410, message: "too old" })),
    ],
  ])("lists anew when its version is too old, %s", async (_, tooOld) => {
    const { cluster, listed, watched } = await scripted(
      [
        { metadata: { resourceVersion: "1" }, items: [pod("p1", "1")] },
        { metadata: { resourceVersion: "50" }, items: [pod("p7", "40")] },
      ],
      [tooOld, () => {}],
    );
    const states = (await take(2, watch(cluster, { kind: "Pod", namespace: "a" }, new AbortController().signal))).map(
      names,
    );
    expect(states).toEqual([["a/p1"], ["a/p7"]]);
    expect(listed).toHaveLength(2);
    expect(watched[0]).toBe("1");
  });

  test("a line that arrives in pieces is one event", async () => {
    const { cluster } = await scripted(
      [{ metadata: { resourceVersion: "1" }, items: [] }],
      [
        (response) => {
          const event = line("ADDED", pod("pé", "2"));
          const bytes = Buffer.from(event);
          const cut = bytes.indexOf(0xc3) + 1;
          response.write(bytes.subarray(0, cut));
          void turns().then(() => response.write(bytes.subarray(cut)));
        },
      ],
    );
    const states = (await take(2, watch(cluster, { kind: "Pod", namespace: "a" }, new AbortController().signal))).map(
      names,
    );
    expect(states[1]).toEqual(["a/pé"]);
  });

  test("ends with its signal", async () => {
    const deadline = new AbortController();
    const { cluster, watched } = await scripted(
      [{ metadata: { resourceVersion: "1" }, items: [] }],
      [() => deadline.abort(new DOMException("too late", "TimeoutError"))],
    );
    const states = watch(cluster, { kind: "Pod" }, deadline.signal);
    expect((await states.next()).value?.size).toBe(0);
    await expect(states.next()).rejects.toMatchObject({ code: "timeout" });
    expect(watched).toEqual(["1"]);
  });

  test("that cannot be opened again has been tried long enough by then", async () => {
    let asked = 0;
    server = await serve(
      {
        onRequest: (request, response) => {
          if (!request.url?.includes("watch")) {
            answerJson(response, { metadata: { resourceVersion: "1" }, items: [] });
            return;
          }
          asked++;
          answerJson(response, { kind: "Status", code: 503, message: "starting" }, 503);
        },
      },
      { patience: 0 },
    );
    await expect(take(2, watch(server.cluster, { kind: "Pod" }, new AbortController().signal))).rejects.toMatchObject({
      httpStatus: 503,
    });
    expect(asked).toBe(1);
  });

  test.each([429, 503, 504])("gives up on a server that answers each with an error, %i", async (code) => {
    const busy = line("ERROR", { kind: "Status", code, message: "busy" });
    const { cluster, listed, watched } = await scripted(
      [{ metadata: { resourceVersion: "1" }, items: [] }],
      Array.from({ length: 20 }, () => (response: ServerResponse) => response.end(busy)),
    );
    const states = watch(cluster, { kind: "Pod" }, new AbortController().signal, async () => {});
    await expect(take(2, states)).rejects.toMatchObject({ httpStatus: code });
    expect([listed.length, watched.length]).toEqual([1, 6]);
  });

  test.each([
    ["ends each at once", 1, ""],
    ["finds each version too old", 6, line("ERROR", { kind: "Status", code: 410, message: "too old" })],
  ])("asks a server that %s again after pauses", async (_, lists, said) => {
    const { cluster, listed, watched } = await scripted(
      Array.from({ length: 20 }, () => ({ metadata: { resourceVersion: "1" }, items: [] })),
      Array.from({ length: 20 }, (_, index) => (response: ServerResponse) => {
        response.end(index === 4 ? line("ADDED", pod("p1", "2")) : said);
      }),
    );
    const interrupt = new AbortController();
    const pauses: number[] = [];
    const pause = async (milliseconds: number) => {
      if (pauses.push(milliseconds) === 6) interrupt.abort();
    };
    await expect(take(100, watch(cluster, { kind: "Pod" }, interrupt.signal, pause))).rejects.toMatchObject({
      code: "interrupted",
    });
    expect(pauses).toEqual([200, 400, 800, 800, 200, 400]);
    expect([listed.length, watched.length]).toEqual([lists, 7]);
  });

  test("gives up on a server that stays away", async () => {
    const { cluster } = await scripted(
      [{ metadata: { resourceVersion: "1" }, items: [] }],
      Array.from({ length: 20 }, () => (response: ServerResponse) => response.destroy()),
    );
    await expect(take(2, watch(cluster, { kind: "Pod" }, new AbortController().signal))).rejects.toMatchObject({
      code: "cluster-unreachable",
    });
  });
});

describe("waitFor", () => {
  test("waits by watching and tells how far it is", async () => {
    const { cluster } = await scripted(
      [{ metadata: { resourceVersion: "1" }, items: [] }],
      [(response) => response.write(line("ADDED", pod("p1", "2")) + line("MODIFIED", pod("p1", "3", true)))],
    );
    const told: string[] = [];
    const ready = await waitFor(cluster, { kind: "Pod", namespace: "a", name: "p1" }, podReady, {
      progress: (text) => told.push(text),
    });
    expect(ready?.metadata?.resourceVersion).toBe("3");
    expect(told).toEqual(["no Pod yet", "Pod Running"]);
  });

  test("an interruption is not a timeout", async () => {
    const interrupt = new AbortController();
    const { cluster, watched } = await scripted(
      [{ metadata: { resourceVersion: "1" }, items: [] }],
      [() => interrupt.abort()],
    );
    const wait = waitFor(cluster, { kind: "Pod", name: "p1" }, podReady, { signal: interrupt.signal });
    await expect(wait).rejects.toMatchObject({ code: "interrupted" });
    expect(watched).toEqual(["1"]);
  });
});
