import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** How a run of the bundled plugin ended. */
export interface PluginResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What commands that change something print with `-o json`. */
export interface PlansJson {
  readonly changed: number;
  readonly unchanged: number;
  readonly wouldChange: number;
  readonly steps: readonly { readonly id: string; readonly result: string }[];
}

const program = join(import.meta.dirname, "../../dist/kubectl-fabric.js");

/** dist/kubectl-fabric.js as its users run it, a process of its own each time. */
export interface Plugin {
  readonly run: (args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<PluginResult>;
  /** What a command prints that has to succeed. */
  readonly output: (args: readonly string[]) => Promise<string>;
  readonly json: <T = PlansJson>(args: readonly string[]) => Promise<T>;
  /** A run that a test may interrupt. */
  readonly start: (args: readonly string[]) => PluginRun;
  /** Kills a command with SIGKILL after so many of its steps have ended, or lets it end before that. */
  readonly killedAfter: (steps: number, args: readonly string[]) => Promise<PluginResult>;
  /** Kills a command with SIGKILL after a time: between two steps as likely as within one. */
  readonly killedAt: (milliseconds: number, args: readonly string[]) => Promise<PluginResult>;
}

interface PluginRun {
  readonly child: ChildProcess;
  readonly ended: Promise<PluginResult>;
}

/** With `options` in each command line. */
export function newPlugin(...options: readonly string[]): Plugin {
  const start = (args: readonly string[], env?: NodeJS.ProcessEnv): PluginRun =>
    startPlugin([...args, ...options], env);
  const run: Plugin["run"] = (args, env) => start(args, env).ended;
  const output = async (args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(args);
    if (code !== 0) throw new Error(`kubectl fabric ${args.join(" ")} ended with ${code}:\n${stderr}${stdout}`);
    return stdout;
  };
  return {
    run,
    output,
    json: async <T>(args: readonly string[]) => JSON.parse(await output([...args, "-o", "json"])) as T,
    start,
    async killedAfter(steps, args) {
      const { child, ended } = start([...args, "--verbose"]);
      let text = "";
      child.stderr?.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        if ((text.match(/^ {2}[✓✗=]/gm) ?? []).length >= steps) child.kill("SIGKILL");
      });
      return ended;
    },
    async killedAt(milliseconds, args) {
      const { child, ended } = start(args);
      await Promise.race([sleep(milliseconds), ended]);
      child.kill("SIGKILL");
      return ended;
    },
  };
}

function startPlugin(args: readonly string[], env: NodeJS.ProcessEnv = {}): PluginRun {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const text = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (text.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (text.stderr += chunk.toString()));
  const ended = new Promise<PluginResult>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, ...text }));
  });
  return { child, ended };
}
