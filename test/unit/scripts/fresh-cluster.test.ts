import { expect, test } from "vitest";
import { requireFreshCluster, requireNoNetwork } from "../../fresh-cluster.ts";

const { signal } = new AbortController();
test("a cluster without any of us is taken", async () => {
  await expect(requireFreshCluster("kind", signal, () => Promise.resolve(""))).resolves.toBeUndefined();
});

test("one with anything of ours is not, and what to type is told", async () => {
  const kubectl = (args: readonly string[]) =>
    Promise.resolve(args.includes("configmap") ? "configmap/fabric-network\n" : "namespace/kubectl-fabric-system\n");
  await expect(requireFreshCluster("kind", signal, kubectl)).rejects.toMatchObject({
    code: "conflict",
    message:
      "expected a cluster without kubectl-fabric, found namespace/kubectl-fabric-system, configmap/fabric-network",
    hint: expect.stringContaining("kubectl fabric down"),
  });
});

test("one that does not answer is told with its name", async () => {
  const silent = () => Promise.reject(new Error("context was not found"));
  await expect(requireFreshCluster("knid", signal, silent)).rejects.toMatchObject({
    code: "cluster-unreachable",
    message: "expected an answer of knid; context was not found",
    hint: expect.stringContaining("kubectl config get-contexts"),
  });
});

test("a sandbox that was up is taken without networks", async () => {
  await expect(requireNoNetwork(() => Promise.resolve(""))).resolves.toBeUndefined();
  await expect(requireNoNetwork(() => Promise.resolve("orderer\norg1\n"))).rejects.toMatchObject({
    code: "conflict",
    message: "expected a sandbox without networks, found them in orderer, org1",
    hint: expect.stringContaining("npm run sandbox -- down"),
  });
});
