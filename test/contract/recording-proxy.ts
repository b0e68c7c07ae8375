import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createConnection, createServer } from "node:net";

/** A socket before another one, which writes down what is asked through it. */
export interface RecordingProxy {
  /** Calls that change something, oldest first: "POST /containers/create". */
  changes(): readonly string[];
  stop(): Promise<void>;
}

/** Clients send one request after the other on a connection, so that each begins a piece of data. */
const changeRequest = /^(POST|PUT|DELETE) (?:\/v[\d.]+)?(\/[^ ?]*)[^\r\n]* HTTP\/1\.1\r\n/;

export async function startRecordingProxy(socket: string, target: string): Promise<RecordingProxy> {
  const changes: string[] = [];
  const server = createServer((client) => {
    const daemon = createConnection(target);
    client.on("data", (data) => {
      const [, method, path] = changeRequest.exec(data.toString("latin1")) ?? [];
      if (method !== undefined) changes.push(`${method} ${path}`);
    });
    client.pipe(daemon).pipe(client);
    for (const one of [client, daemon]) {
      one.on("error", () => {
        client.destroy();
        daemon.destroy();
      });
    }
  });
  server.listen(socket);
  await once(server, "listening");
  return {
    changes: () => changes,
    stop: async () => {
      server.close();
      await rm(socket, { force: true });
    },
  };
}
