import { setTimeout as sleep } from "node:timers/promises";
import { components, type ComponentName } from "../../sandbox/components.ts";
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
 * their lease; the sandbox's have none.
 */
export async function startApiServer(kubectl: Kubectl, afterMilliseconds = 0): Promise<void> {
  await sleep(afterMilliseconds);
  const layout = newLayout();
  startComponent(layout, components(layout, inspectMachine().address)["kube-apiserver"]);
  const end = Date.now() + 120_000;
  while (!(await kubectl(["get", "--raw=/readyz"]).catch(() => "")).includes("ok")) {
    if (Date.now() > end) throw new Error("the API server did not come back");
    await sleep(500);
  }
  await startAnew("kube-controller-manager", "kube-scheduler");
}

/** Of the sandbox, what has found no API server a few times: it looks for it less and less often, up to a minute apart (client-go, reflector). */
export async function startAnew(...names: readonly ComponentName[]): Promise<void> {
  const layout = newLayout();
  const all = components(layout, inspectMachine().address);
  for (const name of names) {
    await endProcesses(runningAs(programOf(layout, name)), "SIGKILL");
    startComponent(layout, all[name]);
  }
}
