import type { IncomingMessage, ServerResponse } from "node:http";
import { answerJson } from "../kubernetes/api-server.ts";

/** A Pod as large as real ones are: some 8 KiB. */
function pod(index: number, peer: boolean): object {
  const filler = Array.from({ length: 40 }, (_, line) => ({ name: `VARIABLE_${line}`, value: "x".repeat(120) }));
  const own = peer ? [{ name: "CORE_PEER_ID", value: `peer${index}` }] : [];
  const command = peer ? ["peer", "node", "start"] : ["sleep", "1"];
  return {
    metadata: { name: `pod-${index}`, namespace: `ns-${index % 20}`, uid: String(index) },
    spec: { nodeName: "n1", containers: [{ name: "main", image: "image:1", command, env: [...own, ...filler] }] },
    status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
  };
}

export interface ManyPods {
  readonly pods: number;
  /** Every so many is a peer. */
  readonly peerEvery: number;
  /** What was asked for: limit and continue. */
  readonly asked: URLSearchParams[];
}

/** Answers lists of Pods as the API server does: by pages, with a token for the next. Anything else is an empty list. */
export function answerPods({ pods, peerEvery, asked }: ManyPods) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? "/", "http://server");
    if (url.pathname !== "/api/v1/pods") return answerJson(response, { metadata: {}, items: [] });
    asked.push(url.searchParams);
    const from = Number(url.searchParams.get("continue") ?? 0);
    const to = Math.min(pods, from + Number(url.searchParams.get("limit") ?? pods));
    const items = Array.from({ length: to - from }, (_, index) => pod(from + index, (from + index) % peerEvery === 0));
    answerJson(response, {
      kind: "PodList",
      apiVersion: "v1",
      metadata: { resourceVersion: "1", ...(to < pods ? { continue: String(to) } : {}) },
      items,
    });
  };
}
