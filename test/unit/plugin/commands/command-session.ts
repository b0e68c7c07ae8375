import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { newProgram } from "../../../../plugin/program.ts";
import type { ScriptedCluster } from "../../core/scripted-cluster/scripted-cluster.ts";

/** What one command line came to. */
interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  /** What was thrown; undefined when it was done. */
  readonly error: unknown;
}

/** Command lines before a scripted cluster: the whole program, but for the process around it. */
export interface CommandSession {
  /** `kubectl fabric ARGV...` where nobody sits at the terminal. */
  run(...argv: readonly string[]): Promise<Ran>;
  /** The same in an environment. */
  runWith(env: Readonly<Record<string, string>>, ...argv: readonly string[]): Promise<Ran>;
  close(): Promise<void>;
}

export async function commandSession({ url }: ScriptedCluster): Promise<CommandSession> {
  const folder = await mkdtemp(join(tmpdir(), "session-"));
  const kubeconfig = join(folder, "config");
  const config = {
    clusters: [{ name: "c", cluster: { server: url } }],
    contexts: [{ name: "c", context: { cluster: "c", user: "ann" } }],
    users: [{ name: "ann", user: {} }],
    "current-context": "c",
  };
  await writeFile(kubeconfig, JSON.stringify(config));
  const runWith: CommandSession["runWith"] = async (env, ...argv) => {
    const written = { stdout: "", stderr: "" };
    const collect = (name: keyof typeof written) =>
      new Writable({ write: (chunk: Buffer, _, done) => (done(), void (written[name] += chunk.toString())) });
    const terminal = {
      stdout: collect("stdout"),
      stderr: collect("stderr"),
      stdin: Readable.from([]),
      env: { KUBECONFIG: kubeconfig, ...env },
      signal: new AbortController().signal,
    };
    const error: unknown = await newProgram(terminal)
      .parseAsync(argv, { from: "user" })
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    return { ...written, error };
  };
  return {
    run: (...argv) => runWith({}, ...argv),
    runWith,
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
