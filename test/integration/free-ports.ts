import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

/**
 * One file for each port that was given, with the process that has it: a port that is given is not yet listened on when
 * the next one is looked for, here or by a file of tests that runs beside this one. One place for the machine, whatever TMPDIR says.
 */
const claims = "/tmp/kubectl-fabric-test-ports";

const claimed = new Set<number>();

process.once("exit", () => {
  for (const port of claimed) rmSync(join(claims, String(port)), { force: true });
});

/** Ports that nobody listens on or was told of, from below those that the system gives to outgoing connections. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const port = randomInt(12_000, 32_000);
    if (claim(port) && (await isFree(port))) found.push(port);
  }
  return found;
}

/** Whether nobody who lives has it. */
function claim(port: number): boolean {
  mkdirSync(claims, { recursive: true });
  const file = join(claims, String(port));
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    claimed.add(port);
    return true;
  } catch {
    if (!livesOwnerOf(file)) rmSync(file, { force: true }); // for the next one who asks
    return false;
  }
}

function livesOwnerOf(file: string): boolean {
  try {
    return process.kill(Number(readFileSync(file, "utf8")), 0);
  } catch {
    return false;
  }
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
