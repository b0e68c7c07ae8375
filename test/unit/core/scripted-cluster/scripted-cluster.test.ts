// The fake is held to what the e2e tests (kube.test.ts) see of a real API server.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { apply, applyDryRun } from "../../../../core/kubernetes/apply.ts";
import type { Cluster } from "../../../../core/kubernetes/cluster.ts";
import { gone, rolledOut } from "../../../../core/kubernetes/conditions.ts";
import { create, createOrGet, get, list, listPages, patch, remove } from "../../../../core/kubernetes/objects.ts";
import { waitFor } from "../../../../core/kubernetes/wait.ts";
import { held, namespaceController, usualControllersBut } from "./controllers.ts";
import { scriptedCluster, type ScriptedCluster } from "./scripted-cluster.ts";
import { mergeApplied, ownersAfterWrite, type Owners, type Tree } from "./server-side-apply.ts";
import { typedAs } from "../../../typed-as.ts";

const labels = { "app.kubernetes.io/managed-by": "kubectl-fabric" };
const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "a", labels } };
const config = (name: string, data: Record<string, string>) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "a", labels },
  data,
});
const statefulSet = (image: string) => ({
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { name: "s", namespace: "a", labels },
  spec: {
    serviceName: "s",
    selector: { matchLabels: { app: "s" } },
    template: { metadata: { labels: { app: "s" } }, spec: { containers: [{ name: "main", image }] } },
  },
});

describe("server-side apply", () => {
  const applied = (live: Tree | undefined, owners: Owners, wanted: Tree, manager = "us", force = false) => {
    const merged = mergeApplied(live, owners, wanted, manager, force);
    if ("conflicts" in merged) throw new Error(JSON.stringify(merged.conflicts));
    return merged;
  };

  test("what was named before and is named no more goes, what others set stays", () => {
    const first = applied(undefined, new Map(), { data: { a: "1", b: "2" } });
    const edited = { data: { a: "1", b: "2", c: "3" } };
    const owners = ownersAfterWrite(first.object, edited, first.owners, "them");
    const second = applied(edited, owners, { data: { a: "1" } });
    expect(second.object).toEqual({ data: { a: "1", c: "3" } });
    expect(applied(second.object, second.owners, { data: {} }).object).toEqual({ data: { c: "3" } });
  });

  test("a value that others changed is a conflict; the same value is not", () => {
    const first = applied(undefined, new Map(), { data: { a: "1" } });
    const edited = { data: { a: "2" } };
    const owners = ownersAfterWrite(first.object, edited, first.owners, "them");
    expect(mergeApplied(edited, owners, { data: { a: "1" } }, "us")).toEqual({
      conflicts: [{ field: ".data.a", manager: "them" }],
    });
    expect(applied(edited, owners, { data: { a: "2" } }).object).toEqual(edited);
    expect(applied(edited, owners, { data: { a: "1" } }, "us", true).object).toEqual({ data: { a: "1" } });
  });

  test("items of a list that is a map are merged by their keys", () => {
    const container = (name: string, rest: object = {}) => ({ name, image: name, ...rest });
    const first = applied(undefined, new Map(), { containers: [container("a"), container("b")] });
    const live = { containers: [container("a", { pulled: true }), container("b", { tty: true }), container("c")] };
    const owners = ownersAfterWrite(first.object, live, first.owners, "them");
    expect(applied(live, owners, { containers: [container("a")] }).object).toEqual({
      // Of b the part that is somebody else's stays, with its key.
      containers: [container("a", { pulled: true }), { name: "b", tty: true }, container("c")],
    });
  });

  test("an item goes as a whole, with what the server added to it, when nobody else has a part of it", () => {
    const first = applied(undefined, new Map(), { env: [{ name: "A", value: "1" }] });
    const defaulted = { env: [{ name: "A", value: "1", scope: "default" }] };
    expect(applied(defaulted, first.owners, { env: [{ name: "B", value: "2" }] }).object).toEqual({
      env: [{ name: "B", value: "2" }],
    });
  });

  test("other lists and selectors are one value", () => {
    const first = applied(undefined, new Map(), { args: ["a", "b"], selector: { app: "x", tier: "y" } });
    expect(applied(first.object, first.owners, { args: ["c"], selector: { app: "z" } }).object).toEqual({
      args: ["c"],
      selector: { app: "z" },
    });
  });
});

describe("the API server", () => {
  const namespaces = held(namespaceController);
  let scripted: ScriptedCluster;
  let cluster: Cluster;
  beforeEach(async () => {
    scripted = await scriptedCluster({ controllers: usualControllersBut(namespaceController, namespaces.controller) });
    cluster = scripted.connect();
    await apply(cluster, namespace);
  });
  afterEach(async () => {
    await scripted.close();
  });

  test("applies, tells what an apply would change, and counts no change of nothing", async () => {
    const one = config("one", { a: "1", b: "2" });
    expect(await applyDryRun(cluster, one)).toMatchObject({ change: "create" });
    expect(scripted.find("ConfigMap", "one", "a")).toBeUndefined();
    expect((await apply(cluster, one)).change).toBe("created");
    expect((await apply(cluster, one)).change).toBe("unchanged");
    const other = config("one", { a: "3" });
    const { change, fields } = await applyDryRun(cluster, other);
    expect([change, fields.toSorted()]).toEqual(["update", ["/data/a", "/data/b"]]);
    expect((await apply(cluster, other)).object.data).toEqual({ a: "3" });
  });

  test("a field that another manager has taken is a conflict that names both", async () => {
    await apply(cluster, config("shared", { a: "1" }));
    scripted.put(config("shared", { a: "2" }));
    await expect(apply(cluster, config("shared", { a: "3" }))).rejects.toMatchObject({
      code: "conflict",
      message: "ConfigMap a/shared: .data.a belongs to somebody",
    });
  });

  test("creates once, reads, patches, lists by pages and labels, removes", async () => {
    await create(cluster, config("once", { a: "1" }));
    await expect(create(cluster, config("once", {}))).rejects.toMatchObject({
      code: "conflict",
      message: 'configmaps "once" already exists',
    });
    expect(await createOrGet(cluster, config("once", {}))).toMatchObject({
      created: false,
      object: { data: { a: "1" } },
    });
    const ref = { kind: "ConfigMap", namespace: "a", name: "once" } as const;
    expect((await patch(cluster, ref, { type: "merge", patch: { data: { b: "2" } } })).data).toEqual({
      a: "1",
      b: "2",
    });
    await create(cluster, {
      ...config("other", {}),
      metadata: { name: "other", namespace: "a", labels: { app: "x" } },
    });
    const listed = await list(cluster, { kind: "ConfigMap", namespace: "a", labels });
    expect(listed.map(({ metadata }) => metadata?.name)).toEqual(["once"]);
    const pages: number[] = [];
    for await (const { items } of listPages(cluster, { kind: "ConfigMap" }, { limit: 1 })) pages.push(items.length);
    expect(pages).toEqual([1, 1]);
    await expect(remove(cluster, ref, { uid: "another" })).rejects.toMatchObject({ code: "conflict" });
    expect([await remove(cluster, ref), await remove(cluster, ref), await get(cluster, ref)]).toEqual([
      true,
      false,
      undefined,
    ]);
    expect(scripted.writes.map(({ line }) => line)).toEqual([
      "apply Namespace a",
      "create ConfigMap a/once",
      "patch ConfigMap a/once",
      "create ConfigMap a/other",
      "delete ConfigMap a/once",
    ]);
  });

  test("nothing is made in a namespace that is not there, or on its way out", async () => {
    const elsewhere = { ...config("x", {}), metadata: { name: "x", namespace: "b", labels } };
    await expect(apply(cluster, elsewhere)).rejects.toMatchObject({
      code: "not-found",
      message: 'ConfigMap b/x: namespaces "b" not found',
    });
    await remove(cluster, { kind: "Namespace", name: "a" });
    await expect(apply(cluster, config("x", {}))).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining("unable to create new content in namespace a because it is being terminated"),
    });
  });

  test("a namespace that goes takes all that is in it, when it is let go", async () => {
    await apply(cluster, config("x", {}));
    await remove(cluster, { kind: "Namespace", name: "a" });
    expect(scripted.read("Namespace", "a")).toMatchObject({ status: { phase: "Terminating" } });
    const ended = waitFor(cluster, { kind: "Namespace", name: "a" }, gone);
    await scripted.happened(({ object }) => object.metadata.deletionTimestamp !== undefined);
    namespaces.letGo();
    await ended;
    expect(scripted.objects("a")).toEqual([]);
  });

  test("a watch sees Pods get ready, and a new template counts as not yet", async () => {
    const ref = { kind: "StatefulSet", namespace: "a", name: "s" } as const;
    await apply(cluster, statefulSet("one"));
    await waitFor(cluster, ref, rolledOut);
    const generation = scripted.read("StatefulSet", "s", "a").metadata.generation;
    await apply(cluster, statefulSet("two"));
    expect(scripted.read("StatefulSet", "s", "a").metadata.generation).toBe(Number(generation) + 1);
    expect((await waitFor(cluster, ref, rolledOut))?.status?.readyReplicas).toBe(1);
    expect(scripted.read("Pod", "s-0", "a").metadata.labels).toEqual({ app: "s" });
  });

  test("what is refused or lost is not done, what is unanswered is", async () => {
    scripted.interfere(({ name }) => (name === "x" ? "forbidden" : undefined));
    await expect(apply(cluster, config("x", {}))).rejects.toMatchObject({
      code: "forbidden",
      hint: typedAs("kubectl auth can-i get configmaps -n a"),
    });
    scripted.interfere(({ name }) => (name === "y" ? "lost" : undefined));
    await expect(create(cluster, config("y", {}))).rejects.toMatchObject({ code: "cluster-unreachable" });
    expect(scripted.find("ConfigMap", "y", "a")).toBeUndefined();
    scripted.interfere(({ name }) => (name === "z" ? "unanswered" : undefined));
    await expect(create(cluster, config("z", {}))).rejects.toMatchObject({ code: "cluster-unreachable" });
    expect(scripted.find("ConfigMap", "z", "a")).toBeDefined();
  });

  test("a create that is not answered over a kept connection is sent again, and finds what it made itself", async () => {
    await get(cluster, { kind: "Namespace", name: "a" });
    let creates = 0;
    scripted.interfere(({ verb }) => (verb === "create" && ++creates === 1 ? "unanswered" : undefined));
    expect(await createOrGet(cluster, config("x", { a: "1" }))).toMatchObject({
      created: false,
      object: { data: { a: "1" } },
    });
    expect(creates).toBe(2);
  });
});
