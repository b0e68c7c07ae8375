import { spawn, type ChildProcess } from "node:child_process";
import { dirname, join } from "node:path";
import { run, type CommandOptions } from "./command.ts";

/** kubectl against one cluster. */
export interface Kubectl {
  /** Runs a command and gives what it prints. Throws CommandFailure when it fails, with what it complains about. */
  (args: readonly string[], options?: CommandOptions): Promise<string>;
  /** Applies objects. */
  apply(...objects: readonly object[]): Promise<void>;
  /** Starts a command that goes on until it is killed, such as port-forward. */
  start(args: readonly string[]): ChildProcess;
}

export function newKubectl(binDirectory: string, kubeconfig: string): Kubectl {
  const program = join(binDirectory, "kubectl");
  const full = (args: readonly string[]) => ["--kubeconfig", kubeconfig, ...args];
  // Else it writes to the caller's home directory.
  const env = { KUBECACHEDIR: join(dirname(kubeconfig), "kubectl-cache") };
  const kubectl = (args: readonly string[], options?: CommandOptions) => run(program, full(args), { ...options, env });
  return Object.assign(kubectl, {
    async apply(...objects: readonly object[]) {
      const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
      await kubectl(["apply", "-f", "-"], { input });
    },
    start: (args: readonly string[]) =>
      spawn(program, full(args), { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } }),
  });
}
