import { setTimeout as sleep } from "node:timers/promises";
import { FabricError } from "../../error.ts";
import type { V1Pod } from "../../kubernetes/client-node.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { logLines } from "../../kubernetes/logs.ts";
import { list } from "../../kubernetes/objects.ts";
import type { ChaincodeLogOptions } from "./logs.ts";
import type { RunningService } from "../runtime/running-service.ts";

/** Of the Pod that `service-objects` makes. */
const container = "chaincode";
const lookAgain = 1000; // milliseconds

/**
 * What a service's Pods write, each line with its Pod's name. With `follow` until the signal: also Pods that come later, and a container
 * that was started again. Throws `not-ready` when no Pod has written anything yet, unless it follows.
 */
export async function serviceLog(
  cluster: Cluster,
  { namespace, name, selector, status }: RunningService,
  { follow, tailLines, timestamps }: ChaincodeLogOptions,
  print: (pod: string, line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const read = new Set<string>();
  const reading = new Set<Promise<void>>();
  const readPod = async (pod: string, tail: number | undefined): Promise<void> => {
    const options = { namespace, pod, container, follow, tailLines: tail, timestamps };
    try {
      for await (const line of logLines(cluster, options, signal)) print(pod, line);
    } catch (error) {
      // Its Pod has gone meanwhile; another takes its place.
      const gone = error instanceof FabricError && ["not-found", "invalid"].includes(error.code);
      if (!signal.aborted && !(follow && gone)) throw error;
    }
  };
  // A Pod that starts later is read from its first line.
  for (let tail = tailLines; ; tail = undefined) {
    const pods = await list(cluster, { kind: "Pod", namespace, labels: selector }, signal);
    for (const pod of pods) {
      const life = lifeOf(pod);
      if (life === undefined || read.has(life)) continue;
      read.add(life);
      const task = readPod(pod.metadata?.name ?? "", tail);
      reading.add(task);
      void task.then(
        () => reading.delete(task),
        () => {},
      );
    }
    if (!follow) break;
    // Whatever fails ends all.
    await Promise.race([sleep(lookAgain, undefined, { signal }).catch(() => {}), failureOf(reading)]);
    if (signal.aborted) break;
  }
  await Promise.all(reading);
  if (read.size > 0 || follow) return;
  throw new FabricError(
    "not-ready",
    `expected a Pod of Deployment ${namespace}/${name} that has started, found none: ${status}`,
    {
      hint: { kubectl: ["describe", "deployment", name, "-n", namespace] },
    },
  );
}

/** Rejects with the first failure of these tasks; never resolves. */
function failureOf(tasks: ReadonlySet<Promise<void>>): Promise<void> {
  return new Promise((_, reject) => {
    for (const task of tasks) task.catch(reject);
  });
}

/** A key for one start of the container; undefined before the first. */
function lifeOf({ metadata, status }: V1Pod): string | undefined {
  const own = status?.containerStatuses?.find(({ name }) => name === container);
  const { running, terminated } = own?.state ?? {};
  if (!own || (!running && !terminated && own.restartCount === 0)) return undefined;
  return `${metadata?.uid}/${own.restartCount}`;
}
