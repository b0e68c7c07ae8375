import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { cluster } from "./cluster.ts";
import type { Layout } from "./layout.ts";

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Asks the API server as its administrator; undefined while it does not answer. Cheaper than a kubectl, which boot would start often. */
export function askApiServer(layout: Layout, path: string): Promise<Answer | undefined> {
  const pki = (file: string) => readFileSync(join(layout.state, "pki", file));
  const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
  const asked = request(
    {
      host: "127.0.0.1",
      port: cluster.apiPort,
      path,
      ca: pki("ca.crt"),
      cert: pki("admin.crt"),
      key: pki("admin.key"),
      timeout: 5000,
    },
    (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", () => resolve(undefined));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    },
  );
  asked.on("timeout", () => asked.destroy());
  asked.on("error", () => resolve(undefined));
  asked.end();
  return promise;
}

/** Whether a Node object says that its kubelet is ready. */
export function isReady(node: string): boolean {
  const { status } = JSON.parse(node) as { status?: { conditions?: readonly { type: string; status: string }[] } };
  return (status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True");
}
