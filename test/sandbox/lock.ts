import { connect, createServer, type Server, type Socket } from "node:net";
import { FabricError } from "../../core/error.ts";

/**
 * Two runs must not trample each other. The lock is a listening socket with an abstract name: the kernel
 * takes it back however its owner ends, and those who wait notice at once because their connection closes.
 */
const machineLock = "\0kubectl-fabric-sandbox";

export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes the machine's lock, waiting for another run to end.
 * @param purpose what the owner does, told to those who wait
 * @param waiting called with the owner's purpose before each wait
 */
export async function takeLock(
  purpose: string,
  waiting: (owner: string) => void,
  signal?: AbortSignal,
  name: string = machineLock,
): Promise<Lock> {
  for (;;) {
    const owned = await listen(name, purpose);
    if (owned) return owned;
    await ownerEnds(name, waiting, signal);
    if (signal?.aborted) throw new FabricError("interrupted", "interrupted while waiting for another sandbox command");
  }
}

function listen(name: string, purpose: string): Promise<Lock | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Lock | undefined>();
  const waiting = new Set<Socket>();
  const server = createServer((socket) => {
    waiting.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => waiting.delete(socket));
    socket.write(`${purpose} (pid ${process.pid})`);
  });
  server.once("error", (error: NodeJS.ErrnoException) =>
    error.code === "EADDRINUSE" ? resolve(undefined) : reject(error),
  );
  server.listen(name, () => {
    server.unref();
    resolve({ release: () => released(server, waiting) });
  });
  return promise;
}

function released(server: Server, waiting: ReadonlySet<Socket>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  for (const socket of waiting) socket.destroy();
  return promise;
}

function ownerEnds(name: string, waiting: (owner: string) => void, signal: AbortSignal | undefined): Promise<void> {
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
