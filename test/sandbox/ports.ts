import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { FabricError } from "../../core/error.ts";

/** Listening TCP ports with their socket's inode, of /proc/net/tcp or tcp6. */
export function listeningPorts(table: string): ReadonlyMap<number, string> {
  const listening = "0A";
  return new Map(
    table
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === listening)
      .map((fields) => [Number.parseInt(fields[1]?.split(":")[1] ?? "", 16), fields[9] ?? ""]),
  );
}

/** Throws `conflict` when somebody else listens on one of the ports; the message names the first, and who that is. */
export function requireFreePorts(ports: readonly number[]): void {
  const taken = allListening();
  for (const port of ports) {
    const inode = taken.get(port);
    if (inode !== undefined) throw portTaken(port, ownerOf(inode));
  }
}

export function areListening(ports: readonly number[]): boolean {
  const listening = allListening();
  return ports.every((port) => listening.has(port));
}

function allListening(): ReadonlyMap<number, string> {
  return new Map([...tableOf("/proc/net/tcp"), ...tableOf("/proc/net/tcp6")]);
}

function tableOf(path: string): ReadonlyMap<number, string> {
  try {
    return listeningPorts(readFileSync(path, "utf8"));
  } catch {
    return new Map(); // no IPv6 here
  }
}

function portTaken(port: number, owner: string): FabricError {
  return new FabricError("conflict", `expected port ${port} to be free, found ${owner} listening on it`, {
    hint: "stop it first: the sandbox uses a Kubernetes node's usual ports, so there is one cluster per machine",
  });
}

function ownerOf(inode: string): string {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const links = readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
      if (links.includes(`socket:[${inode}]`))
        return `${readFileSync(`/proc/${pid}/comm`, "utf8").trim()} (pid ${pid})`;
    } catch {
      // it has ended meanwhile
    }
  }
  return "a process in another container";
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
