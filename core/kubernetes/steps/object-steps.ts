import type { Cluster } from "../cluster.ts";
import type { KubernetesObject } from "../client-node.ts";
import { apply, applyDryRun } from "../apply.ts";
import { rolledOut } from "../conditions.ts";
import { describeRef, get, refOf } from "../objects.ts";
import { waitFor } from "../wait.ts";
import type { ActingStep, Step } from "../../engine/step.ts";

/** Objects are as wanted: server-side apply, a dry run of it to look. */
export function appliedStep(
  cluster: Cluster,
  { objects, ...step }: Pick<Step, "id" | "title" | "after"> & { readonly objects: readonly KubernetesObject[] },
): ActingStep {
  return {
    ...step,
    async observe({ signal }) {
      const differing = await wanting(cluster, objects, signal);
      return differing.length === 0 ? { is: "so" } : { is: "differs", change: listed(differing) };
    },
    async act({ signal }) {
      for (const object of objects) await apply(cluster, object, { signal });
    },
  };
}

/** All by name when they are few; else how many of each kind. */
export function listed(objects: readonly KubernetesObject[]): string {
  if (objects.length <= 2) return objects.map((object) => describeRef(refOf(object))).join(", ");
  const kinds = Map.groupBy(objects, ({ kind = "" }) => kind);
  return [...kinds].map(([kind, { length }]) => (length === 1 ? kind : `${length} × ${kind}`)).join(", ");
}

async function wanting(
  cluster: Cluster,
  objects: readonly KubernetesObject[],
  signal: AbortSignal,
): Promise<readonly KubernetesObject[]> {
  const looks = await Promise.all(objects.map((object) => applyDryRun(cluster, object, signal)));
  return objects.filter((_, index) => looks[index]?.change !== "none");
}

/** A workload's Pods run what was applied last and are ready. */
export function readyStep(
  cluster: Cluster,
  {
    ref,
    impatient,
    ...step
  }: Pick<Step, "id" | "title" | "after"> & {
    readonly ref: { readonly kind: "StatefulSet" | "Deployment"; readonly namespace: string; readonly name: string };
    /** As `waitFor` has it. */
    readonly impatient?: boolean;
  },
): Step {
  return {
    ...step,
    async observe({ signal }) {
      const verdict = rolledOut(await get(cluster, ref, signal));
      if (verdict.so === true) return { is: "so" };
      return {
        is: "waiting",
        missing: "wait for its Pod",
        until: (context) => waitFor(cluster, ref, rolledOut, { ...context, impatient }),
      };
    },
  };
}
