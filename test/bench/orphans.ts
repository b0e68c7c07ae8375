import { join } from "node:path";
import { runProgram, type Lifetime } from "../../build/lifetime.ts";
import { serve } from "../integration/core/kubernetes/api-server.ts";
import { answerPods } from "../integration/core/orphans/many-pods.ts";

const look = join(import.meta.dirname, "orphans/look.ts");
const megabytes = (kibibytes: number): string => `${(kibibytes / 1024).toFixed(0)} MiB`;

/** Memory of the look for peers among many Pods. */
export async function measure(lifetime: Lifetime): Promise<void> {
  for (const pods of [500, 5000, 20_000]) {
    const server = await lifetime.begin(
      () => serve({ onRequest: answerPods({ pods, peerEvery: 100, asked: [] }) }),
      (begun) => begun.close(),
    );
    const measured: string[] = [];
    for (const how of ["nothing", "paged", "whole"]) {
      const argv = [process.execPath, look, how, server.url];
      const kibibytes = await runProgram(lifetime, argv, { stdio: ["ignore", "pipe", "inherit"] });
      measured.push(`${how} ${megabytes(Number(kibibytes))}`);
    }
    console.log(`${String(pods).padStart(6)} Pods of 8 KiB, peak memory:  ${measured.join("   ")}`);
  }
}
