import { setTimeout as sleep } from "node:timers/promises";
import { components } from "../../sandbox/components.ts";
import type { Kubectl } from "../../sandbox/kubectl.ts";
import { newLayout } from "../../sandbox/layout.ts";
import { inspectMachine } from "../../sandbox/machine.ts";
import { endProcesses, runningAs } from "../../sandbox/processes.ts";
import { programOf, startComponent } from "../../sandbox/supervise.ts";

/** Ends the sandbox's API server: by SIGTERM it waits for those who watch. */
export async function stopApiServer(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  await endProcesses(runningAs(programOf(newLayout(), "kube-apiserver")), signal, 30_000);
}

/**
 * Starts the sandbox's API server after a while, and waits until it is ready. Controllers start anew, as those do that cannot renew
 * their lease; the sandbox's have none, and would look for the API server less and less often, up to a minute apart (client-go, reflector).
 */
export async function startApiServer(kubectl: Kubectl, afterMilliseconds = 0): Promise<void> {
  await sleep(afterMilliseconds);
  const layout = newLayout();
  const all = components(layout, inspectMachine().address);
  startComponent(layout, all["kube-apiserver"]);
  const end = Date.now() + 120_000;
  while (!(await kubectl(["get", "--raw=/readyz"]).catch(() => "")).includes("ok")) {
    if (Date.now() > end) throw new Error("the API server did not come back");
    await sleep(500);
  }
  for (const name of ["kube-controller-manager", "kube-scheduler"] as const) {
    await endProcesses(runningAs(programOf(layout, name)), "SIGKILL");
    startComponent(layout, all[name]);
  }
}
