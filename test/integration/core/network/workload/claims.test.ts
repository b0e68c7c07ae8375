// What becomes of claims, before real API servers: a claim's class, and whether it may change, are theirs.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apply } from "../../../../../core/kubernetes/apply.ts";
import type { V1PersistentVolumeClaim } from "../../../../../core/kubernetes/client-node.ts";
import { create, patch } from "../../../../../core/kubernetes/objects.ts";
import { lookAtClaim } from "../../../../../core/network/workload/claims.ts";
import { claimOf } from "../../../../../core/network/workload/node-objects.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import { peerNodes, type FabricNode } from "../../../../../core/network/resources/nodes.ts";
import { startApiServer, apiServerVersions, type ApiServer } from "../../../webhook/api-server.ts";

const { signal } = new AbortController();

function claim(name: string, storageClass?: string): V1PersistentVolumeClaim {
  const network = networkFor({ storageClass, peerOrganizations: ["default"] });
  const [peer] = peerNodes(network) as readonly [FabricNode];
  return claimOf(network, peer, name, "1Gi");
}

describe.each(apiServerVersions)("Kubernetes %s", (version) => {
  let server: ApiServer;
  beforeAll(async () => void (server = await startApiServer(version)), 1_800_000);
  afterAll(() => server?.close());

  const look = async (wanted: V1PersistentVolumeClaim) => {
    const { change, obsolete, object } = await lookAtClaim(server.cluster, wanted, signal);
    return { change, isObsolete: obsolete !== undefined, className: object.spec?.storageClassName };
  };

  test("one that waits for a volume of another class is obsolete; of the same it is as wanted", async () => {
    await apply(server.cluster, claim("waiting", "slow"));
    expect(await look(claim("waiting", "slow"))).toEqual({ change: "none", isObsolete: false, className: "slow" });
    expect(await look(claim("waiting", "fast"))).toEqual({ change: "create", isObsolete: true, className: "fast" });
    expect(await look(claim("waiting"))).toEqual({ change: "create", isObsolete: true, className: undefined });
  });

  test("one that has a volume keeps its class", async () => {
    await apply(server.cluster, claim("bound", "slow"));
    const ref = { kind: "PersistentVolumeClaim", namespace: "default", name: "bound" } as const;
    await patch(server.cluster, ref, { type: "merge", patch: { spec: { volumeName: "pv" } } });
    expect(await look(claim("bound", "fast"))).toEqual({ change: "none", isObsolete: false, className: "slow" });
    expect(await look(claim("bound"))).toEqual({ change: "none", isObsolete: false, className: "slow" });
  });

  test("one that got its class from the cluster keeps it where none is wanted", async () => {
    const isDefault = { "storageclass.kubernetes.io/is-default-class": "true" };
    const kind = {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name: "usual", annotations: isDefault },
    };
    await create(server.cluster, Object.assign(kind, { provisioner: "x" }));
    await apply(server.cluster, claim("usual"));
    expect(await look(claim("usual"))).toEqual({ change: "none", isObsolete: false, className: undefined });
    expect(await look(claim("usual", "fast"))).toEqual({ change: "create", isObsolete: true, className: "fast" });
  });
});
