import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/** Of this process: a port that is given is not yet listened on when the next one is looked for. */
const given = new Set<number>();

/** Ports that nobody listens on or was told of, from below those that the system gives to outgoing connections. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const port = randomInt(12_000, 32_000);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) found.push(port);
  }
  return found;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    await once(server.close(), "close");
    return true;
  } catch {
    return false;
  }
}
