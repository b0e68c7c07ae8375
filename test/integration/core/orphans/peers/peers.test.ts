import { afterEach, describe, expect, test } from "vitest";
import { findPeers } from "../../../../../core/orphans/peers/peers.ts";
import { answerJson, serve, type ScriptedServer } from "../../kubernetes/api-server.ts";
import { answerPods } from "../many-pods.ts";

const { signal } = new AbortController();
let server: ScriptedServer | undefined;
afterEach(() => server?.close());

describe("peers of a cluster", () => {
  test("are found among 5,000 Pods, read by pages", async () => {
    const asked: URLSearchParams[] = [];
    server = await serve({ onRequest: answerPods({ pods: 5000, peerEvery: 100, asked }) });
    const { peers, everywhere } = await findPeers(server.cluster, [], signal);
    expect(everywhere).toBe(true);
    expect(peers).toHaveLength(50);
    expect(peers[1]).toMatchObject({
      name: "ns-0/pod-100",
      owner: { networkId: "dev", peerId: "peer100" },
      running: true,
    });
    expect(asked.map((query) => query.get("limit"))).toEqual(Array.from({ length: 10 }, () => "500"));
  });

  test("are those of the namespaces that the user may read, where Pods may not be read everywhere", async () => {
    const pods = answerPods({ pods: 3, peerEvery: 1, asked: [] });
    server = await serve({
      onRequest: (request, response) => {
        const path = request.url?.replace(/\?.*/, "");
        if (path === "/api/v1/namespaces/default/pods") {
          request.url = "/api/v1/pods";
          pods(request, response);
        } else {
          answerJson(
            response,
            { kind: "Status", message: 'pods is forbidden: User "ann" cannot list resource "pods"' },
            403,
          );
        }
      },
    });
    const found = await findPeers(server.cluster, [], signal);
    expect(found).toMatchObject({ everywhere: false, namespaces: expect.arrayContaining(["default"]), hidden: [] });
    expect(found.peers).toHaveLength(3);
  });
});
