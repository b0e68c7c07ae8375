import type { V1Container, V1PodSpec } from "@kubernetes/client-node";
import type { Operation } from "fast-json-patch";
import { documentationOf } from "./annotations.ts";
import { Denial } from "./outcome.ts";
import { cpuQuantity, memoryQuantity, nanoUnits } from "./quantity.ts";

/*
 * Resources of the Pod itself (KEP-2837, on by default from 1.34) hold for all its containers together. The API server refuses requests
 * of a Pod below the sum of its containers', and limits below that of one container (pkg/apis/core/validation,
 * validatePodResourceConsistency). Where they pass, they would hold for peer, Docker and builds together. So both grow by what the
 * injected containers say.
 */

const kinds = ["requests", "limits"] as const;
type Kind = (typeof kinds)[number];

/** Of huge pages, the third that a Pod may say, the injection says nothing. */
const printed = { cpu: cpuQuantity, memory: memoryQuantity } as const;
type Name = keyof typeof printed;
const names = ["cpu", "memory"] as const satisfies readonly Name[];

/** As YAML has them, with numbers, too. Kubernetes reads null as 0. */
type Quantities = Readonly<Record<string, string | number | null | undefined>>;

/**
 * The operations that let a Pod's own requests and limits grow by those of the containers that are injected; none for a Pod that says
 * none. Throws Denial when one of them is no quantity.
 */
export function podResourceOperations(spec: V1PodSpec, injected: readonly V1Container[]): readonly Operation[] {
  return kinds.flatMap((kind) => ofKind(spec, kind, injected));
}

function ofKind(spec: V1PodSpec, kind: Kind, injected: readonly V1Container[]): readonly Operation[] {
  const said = saidOf(spec, kind);
  const before = kind === "requests" ? { ...said, ...defaultRequests(spec) } : (said ?? {});
  const path = `/spec/resources/${kind}`;
  const sizes = names.flatMap((name) => {
    const value = before[name];
    return value === undefined ? [] : [{ name, nano: nanoOf(value ?? 0, `spec.resources.${kind}.${name}`) }];
  });
  const quantityOf = (name: Name, nano: bigint): string => printed[name](grown(nano, kind, name, injected));
  if (said === undefined) {
    const value = Object.fromEntries(sizes.map(({ name, nano }) => [name, quantityOf(name, nano)]));
    return sizes.length === 0 ? [] : [{ op: "add", path, value }];
  }
  return sizes.map(({ name, nano }): Operation => {
    const op = said[name] === undefined ? "add" : "replace";
    // A limit of 0 is none (pkg/kubelet/cm/helpers_linux.go), and would be one by growing; a request beside it would be refused.
    return kind === "limits" && nano === 0n
      ? { op: "remove", path: `${path}/${name}` }
      : { op, path: `${path}/${name}`, value: quantityOf(name, nano) };
  });
}

function saidOf({ resources }: V1PodSpec, kind: Kind): Quantities | undefined {
  return resources?.[kind] ?? undefined;
}

/**
 * A limit without a request is a request, too, unless some container says one (pkg/apis/core/v1/defaults.go, defaultPodRequests). The
 * injected containers say one: the request that there would have been is written, as a webhook finds it.
 */
function defaultRequests(spec: V1PodSpec): Quantities {
  const requests = saidOf(spec, "requests") ?? {};
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  const said = (name: string): boolean =>
    containers.some(({ resources }) => kinds.some((kind) => (resources?.[kind] ?? {})[name] !== undefined));
  const limits = Object.entries(saidOf(spec, "limits") ?? {});
  return Object.fromEntries(
    limits.filter(
      ([name, value]) => requests[name] === undefined && !said(name) && (nanoUnits(String(value ?? 0)) ?? 0n) !== 0n,
    ),
  );
}

/**
 * What the Pod says with what is injected: the sidecars run beside all that was there; what only runs before the peer (the pulling of
 * images) runs beside the sidecars in front of it alone.
 */
function grown(before: bigint, kind: Kind, name: Name, injected: readonly V1Container[]): bigint {
  const ofContainer = ({ resources }: V1Container): bigint => nanoUnits(resources?.[kind]?.[name] ?? "0") ?? 0n;
  const stays = ({ restartPolicy }: V1Container): boolean => restartPolicy === "Always";
  const native = injected.some(stays);
  let beside = 0n;
  let most = 0n;
  for (const container of injected) {
    if (!native || stays(container)) beside += ofContainer(container);
    else most = max(most, beside + ofContainer(container));
  }
  return max(before + beside, most);
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function nanoOf(value: string | number, key: string): bigint {
  const nano = nanoUnits(String(value));
  if (nano !== undefined) return nano;
  throw new Denial("invalid-value", {
    key,
    value: String(value),
    allowed: "a quantity",
    documentation: documentationOf("resources of the Pod itself"),
  });
}
