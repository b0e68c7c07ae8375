// What depends on the cluster's version, minor by minor. The API servers of 1.29 and 1.36 are asked themselves
// (test/integration/webhook/api-servers.test.ts).
import type { V1Pod } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { annotationKeys } from "../../../../core/injection/annotations.ts";
import type { ClusterFacts } from "../../../../core/injection/cluster.ts";
import { injectPod } from "../../../../core/injection/inject.ts";
import { parseSettings } from "../../../../core/injection/settings.ts";
import { sidecarName } from "../../../../core/injection/sidecar.ts";

const minors = [27, 28, 29, 30, 31, 32, 33, 34, 35, 36];
const version = (minor: number) => ({ major: 1, minor, patch: 0 });

function injectedOn(cluster: ClusterFacts, profile: string) {
  const pod: V1Pod = {
    metadata: { annotations: { [annotationKeys.inject]: "true", [annotationKeys.profile]: profile } },
    spec: { containers: [{ name: "peer", image: "hyperledger/fabric-peer:2.5.15" }] },
  };
  const parsed = parseSettings({ profile: { allowed: ["privileged", "userns"] } });
  if (!parsed.valid) throw new Error(JSON.stringify(parsed.problems));
  return injectPod(pod, { settings: parsed.settings, cluster, version: "0.0.0" });
}

function formOf({ pod }: { readonly pod?: V1Pod }): string {
  const native = pod?.spec?.initContainers?.find(({ name }) => name === sidecarName)?.restartPolicy === "Always";
  return native ? "native" : (pod?.spec?.containers[0]?.name ?? "");
}

test.each(minors.flatMap((server) => minors.map((kubelet) => [server, kubelet] as const)))(
  "API server 1.%i, oldest kubelet 1.%i",
  (server, kubelet) => {
    const cluster = { apiServer: version(server), oldestKubelet: version(kubelet) };
    const oldest = Math.min(server, kubelet);
    expect(formOf(injectedOn(cluster, "privileged"))).toBe(oldest >= 29 ? "native" : sidecarName);
    expect(injectedOn(cluster, "userns").kind).toBe(oldest >= 33 ? "injected" : "denied");
  },
);
