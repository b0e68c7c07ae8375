// A storage class is for claims that have no volume yet: a wrong one is refused, and the right one mends what waits.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import type { ScriptedCluster } from "../../scripted-cluster/scripted-cluster.ts";
import { clusterWithWebhook, init, linesOf, small } from "../network-cluster.ts";
import { typedAs } from "../../../../typed-as.ts";

const claims = ["orderer/orderer0-ledger", "org1/peer0-docker", "org1/peer0-ledger"];

let cluster: ScriptedCluster;
beforeEach(async () => {
  cluster = await clusterWithWebhook();
  for (const name of ["fast", "standard"]) offer(name);
});
afterEach(() => cluster.close());

function offer(name: string): void {
  cluster.put({ apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name }, provisioner: "x" });
}

const withClass = (storageClass: string, network = small) => networkFor({ storageClass }, network);

/** Class and volume of each claim. */
const found = () =>
  cluster.objects().flatMap(({ kind, metadata, spec }) => {
    if (kind !== "PersistentVolumeClaim") return [];
    const { storageClassName, volumeName } = spec as {
      readonly storageClassName?: string;
      readonly volumeName?: string;
    };
    return [[`${metadata.namespace}/${metadata.name}`, storageClassName, volumeName]];
  });

/** All that wait get a volume. */
function bind(): void {
  for (const object of cluster.objects()) {
    if (object.kind !== "PersistentVolumeClaim") continue;
    cluster.put({ ...object, spec: { volumeName: `pv-${object.metadata.name}` }, status: { phase: "Bound" } });
  }
}

describe("a storage class that the cluster has not", () => {
  test("is refused with those that it has, before anything is written", async () => {
    await expect(init(cluster, withClass("nope"))).rejects.toMatchObject({
      code: "usage",
      message: "expected the cluster to have the StorageClass nope, found fast, standard",
      hint: typedAs(expect.stringContaining("--storage-class fast")),
    });
    expect(linesOf(cluster)).toEqual([]);
  });

  test("is refused in a dry run", async () => {
    await expect(init(cluster, withClass("nope"), { dryRun: true })).rejects.toMatchObject({ code: "usage" });
  });

  test("is refused for a network that runs", async () => {
    await init(cluster, withClass("standard"));
    bind();
    const before = cluster.objects();
    await expect(init(cluster, withClass("nope"))).rejects.toMatchObject({ code: "usage" });
    expect(cluster.objects()).toEqual(before);
  });

  test("is not missed where all claims of it have their volumes", async () => {
    await init(cluster, withClass("standard"));
    bind();
    cluster.erase("StorageClass", "standard");
    expect(await init(cluster, withClass("standard"))).toMatchObject({ changed: 0 });
    const more = networkFor({ peers: 2 }, withClass("standard"));
    await expect(init(cluster, more)).rejects.toMatchObject({ code: "usage" });
  });

  test("is not asked for by who may not list them", async () => {
    cluster.interfere(({ kind }) => (kind === "StorageClass" ? "forbidden" : undefined));
    await init(cluster, withClass("nope"));
    expect(found()).toEqual(claims.map((name) => [name, "nope", undefined]));
  });
});

describe("another storage class", () => {
  test("is for new claims: one that has its volume keeps its own", async () => {
    await init(cluster, withClass("standard"));
    bind();
    const before = found();
    const other = withClass("fast", networkFor({ peers: 2 }, small));
    await init(cluster, other);
    const made = ["org1/peer1-docker", "org1/peer1-ledger"].map((name) => [name, "fast", undefined]);
    expect(found()).toEqual([...before, ...made]);
    const count = cluster.writes.length;
    expect(await init(cluster, other)).toMatchObject({ changed: 0 });
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("is left out: one that has its volume keeps the class that was wanted before", async () => {
    await init(cluster, withClass("standard"));
    bind();
    const before = found();
    await init(cluster, small);
    expect(found()).toEqual(before);
  });

  test.each([
    ["another", withClass("standard"), "standard"],
    ["none", small, undefined],
  ])("%s mends what still waits for a volume of the first: those claims are made anew", async (_, right, className) => {
    offer("slow");
    await init(cluster, withClass("slow"));
    const count = cluster.writes.length;
    const dry = await init(cluster, right, { dryRun: true });
    expect(dry.outcomes.get("orderer/orderer0")).toMatchObject({
      detail: "PersistentVolumeClaim orderer/orderer0-ledger made anew, for it has no volume",
    });
    expect(linesOf(cluster, count)).toEqual([]);
    await init(cluster, right);
    expect(found()).toEqual(claims.map((name) => [name, className, undefined]));
    expect(
      linesOf(cluster, count)
        .filter((line) => line.startsWith("delete"))
        .toSorted(),
    ).toEqual(claims.map((name) => `delete PersistentVolumeClaim ${name}`));
    expect(await init(cluster, right)).toMatchObject({ changed: 0 });
  });

  test("leaves a claim that got its volume just before it was removed", async () => {
    offer("slow");
    await init(cluster, withClass("slow"));
    cluster.interfere(({ verb, kind }) => {
      if (verb === "delete" && kind === "PersistentVolumeClaim") bind();
      return undefined;
    });
    await expect(init(cluster, withClass("standard"))).rejects.toThrow(/Precondition failed/);
    cluster.interfere(undefined);
    await init(cluster, withClass("standard"));
    expect(found()).toEqual(claims.map((name) => [name, "slow", `pv-${name.replace(/^.*\//, "")}`]));
  });
});
