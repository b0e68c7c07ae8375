// The webhook's bundle as a process of its own, against whatever API server a kubeconfig names.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

export interface WebhookProcess {
  readonly child: ChildProcess;
  readonly probes: number;
  readonly lines: Record<string, unknown>[];
  /** The port of reviews, once it is known. */
  port(): Promise<number>;
  probe(path: string): Promise<{ status: number; text: string }>;
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

export async function until<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  seconds = 20,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`${what}: it did not happen`);
    await sleep(20);
  }
}

/** Starts the program on ports of its own choice unless the flags say otherwise. */
export async function startWebhook(
  program: string,
  kubeconfig: string,
  flags: readonly string[],
): Promise<WebhookProcess> {
  const args = [program, "--port=0", "--probes-port=0", "--drain-seconds=1", ...flags];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, KUBECONFIG: kubeconfig },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: Record<string, unknown>[] = [];
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = `${rest}${text}`.split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts.map((line) => JSON.parse(line) as Record<string, unknown>));
  });
  const said = (message: string) => lines.find((line) => line["message"] === message);
  // Not "exit": what it has written is read by then.
  const exited = once(child, "close") as Promise<[number | null]>;
  const probes = await until(
    "start",
    () => (said("started")?.["probesPort"] ?? (child.exitCode === null ? undefined : 0)) as number | undefined,
  );
  return {
    child,
    lines,
    probes,
    port: () => until("a certificate", () => said("serving a certificate")?.["port"] as number | undefined),
    probe: async (path) => {
      const response = await fetch(`http://127.0.0.1:${probes}${path}`);
      return { status: response.status, text: await response.text() };
    },
    end: async (signal = "SIGTERM") => {
      child.kill(signal);
      return (await exited)[0];
    },
  };
}

export function ready(webhook: WebhookProcess): Promise<true> {
  return until("readiness", async () => ((await webhook.probe("/readyz")).status === 200 ? true : undefined));
}
