import { connect, createServer, type Server } from "node:net";
import { FabricError } from "../../plugin/error.ts";

/**
 * Two runs must not trample each other. The lock is a listening socket with an abstract name: the kernel
 * takes it back however its owner ends, and those who wait notice at once because their connection closes.
 */
const name = "\0kubectl-fabric-sandbox";

export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes the machine's lock, waiting for another run to end.
 * @param purpose what the owner does, told to those who wait
 * @param waiting called with the owner's purpose before each wait
 */
export async function takeLock(purpose: string, waiting: (owner: string) => void, signal?: AbortSignal): Promise<Lock> {
  for (;;) {
    const server = await listen(purpose);
    if (server) return { release: () => closed(server) };
    await ownerEnds(waiting, signal);
    if (signal?.aborted) throw new FabricError("interrupted", "interrupted while waiting for another sandbox command");
  }
}

function listen(purpose: string): Promise<Server | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Server | undefined>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.write(`${purpose} (pid ${process.pid})`);
  });
  server.once("error", (error: NodeJS.ErrnoException) =>
    error.code === "EADDRINUSE" ? resolve(undefined) : reject(error),
  );
  server.listen(name, () => {
    server.unref();
    resolve(server);
  });
  return promise;
}

const sockets = new Set<{ destroy(): void }>();

function closed(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  for (const socket of sockets) socket.destroy();
  return promise;
}

function ownerEnds(waiting: (owner: string) => void, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect({ path: name });
  const abort = () => socket.destroy();
  signal?.addEventListener("abort", abort, { once: true });
  socket.on("data", (data: Buffer) => waiting(data.toString()));
  socket.on("error", () => {}); // it ended before we could ask
  socket.on("close", () => {
    signal?.removeEventListener("abort", abort);
    resolve();
  });
  return promise;
}
