import { setTimeout as sleep } from "node:timers/promises";
import { components } from "../../sandbox/components.ts";
import type { Kubectl } from "../../sandbox/kubectl.ts";
import { newLayout } from "../../sandbox/layout.ts";
import { inspectMachine } from "../../sandbox/machine.ts";
import { endProcesses, runningAs } from "../../sandbox/processes.ts";
import { programOf, startComponent } from "../../sandbox/supervise.ts";

/** Ends the sandbox's API server, and starts it again after a while. Gives what it is when it is ready. */
export async function restartApiServer(kubectl: Kubectl, awayMilliseconds = 0): Promise<void> {
  const layout = newLayout();
  const { "kube-apiserver": apiServer } = components(layout, inspectMachine().address);
  await endProcesses(runningAs(programOf(layout, "kube-apiserver")), "SIGTERM", 30_000);
  await sleep(awayMilliseconds);
  startComponent(layout, apiServer);
  const end = Date.now() + 120_000;
  while (!(await kubectl(["get", "--raw=/readyz"]).catch(() => "")).includes("ok")) {
    if (Date.now() > end) throw new Error("the API server did not come back");
    await sleep(500);
  }
}
