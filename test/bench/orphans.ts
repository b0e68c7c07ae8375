// Memory of the look for peers among many Pods: node test/bench/orphans.ts. Nothing here is asserted.
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { findPeers } from "../../plugin/orphans/peers.ts";
import { list } from "../../plugin/kube/objects.ts";
import { clusterAt, serve } from "../integration/plugin/kube/api-server.ts";
import { answerPods } from "../integration/plugin/orphans/many-pods.ts";

const [mode, url] = process.argv.slice(2);
const { signal } = new AbortController();
const megabytes = (kibibytes: number): string => `${(kibibytes / 1024).toFixed(0)} MiB`;

if (url === undefined) await compare();
else await look(url);

/** What this process was asked to do, then the most memory that it ever had. */
async function look(server: string): Promise<void> {
  const cluster = clusterAt(server);
  if (mode === "paged") await findPeers(cluster, [], signal);
  else if (mode === "whole") await list(cluster, { kind: "Pod" }, signal);
  else await cluster.call({ method: "GET", path: "/version" });
  console.log(process.resourceUsage().maxRSS);
  cluster.close();
}

async function compare(): Promise<void> {
  for (const pods of [500, 5000, 20_000]) {
    const server = await serve({ onRequest: answerPods({ pods, peerEvery: 100, asked: [] }) });
    const measured: string[] = [];
    for (const how of ["nothing", "paged", "whole"]) {
      const child = spawn(process.execPath, [import.meta.filename, how, server.url], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      measured.push(`${how} ${megabytes(Number(await text(child.stdout)))}`);
    }
    console.log(`${String(pods).padStart(6)} Pods of 8 KiB, peak memory:  ${measured.join("   ")}`);
    await server.close();
  }
}
