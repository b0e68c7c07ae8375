import { afterEach, describe, expect, test } from "vitest";
import { FabricError } from "../../../../core/error.ts";
import { mayBeDown, whatToChange, type CaughtUp } from "../../../../core/network/workload/node-steps.ts";
import { behind } from "../../../../core/network/session/heights.ts";
import { networkFor, type NetworkRequest } from "../../../../core/network/resources/network-request.ts";
import { hostOf } from "../../../../core/network/resources/nodes.ts";
import {
  barePodController,
  rollingStatefulSetController,
  statefulSetController,
  usualControllersBut,
} from "../scripted-cluster/controllers.ts";
import type { ScriptedCluster } from "../scripted-cluster/scripted-cluster.ts";
import type { WireObject } from "../scripted-cluster/stored-objects.ts";
import { clusterWithWebhook, init, linesOf } from "./network-cluster.ts";
import { typedAs } from "../../../typed-as.ts";
import { typed } from "../../../../plugin/terminal/remedy.ts";

const opened: ScriptedCluster[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

const network = networkFor({ orderers: 3, peers: 2 });
const changed = (options: NetworkRequest) => networkFor(options, network);
const orderers = ["orderer0.orderer", "orderer1.orderer", "orderer2.orderer"];
const hosts = orderers.concat("peer0.org1", "peer1.org1", "peer0.org2", "peer1.org2");

interface Images {
  readonly absent?: string;
  readonly broken?: string;
}

/** A network that runs, on a cluster that lacks images of one tag, and whose nodes do not start with those of another. */
async function running({ absent = "none", broken = "none" }: Images = {}): Promise<ScriptedCluster> {
  const fate = (image: string) => {
    if (image.endsWith(absent)) return "absent";
    return image.endsWith(broken) ? "broken" : "ready";
  };
  const controllers = [rollingStatefulSetController(fate), barePodController(fate)];
  const cluster = await clusterWithWebhook({ controllers: usualControllersBut(statefulSetController, ...controllers) });
  opened.push(cluster);
  await init(cluster, network);
  return cluster;
}

/** Notes each node when it is asked whether it has caught up. */
function watching(): { readonly restarted: readonly string[]; readonly caughtUp: CaughtUp } {
  const restarted: string[] = [];
  const caughtUp: CaughtUp = (node) => {
    restarted.push(hostOf(node));
    return Promise.resolve("restarted, has caught up");
  };
  return { restarted, caughtUp };
}

/** Those of Pods that the plugin makes itself, to look for an image. */
const checks = (cluster: ScriptedCluster, since: number): readonly string[] =>
  cluster.writes.slice(since).flatMap(({ line, object }) => {
    if (!line.startsWith("create Pod")) return [];
    const { containers } = object["spec"] as { readonly containers: readonly { readonly image: string }[] };
    return [`${object.metadata.namespace} ${containers[0]?.image.replace(/^.*\//, "")}`];
  });

const imagesOf = (cluster: ScriptedCluster) =>
  Object.fromEntries(
    cluster
      .objects()
      .filter(({ kind }) => kind === "Pod")
      .map((pod) => {
        const { name, namespace } = pod.metadata;
        const { containers } = pod["spec"] as { readonly containers: readonly { readonly image: string }[] };
        return [`${name.replace(/-0$/, "")}.${namespace}`, containers[0]?.image.replace(/^.*:/, "")] as const;
      }),
  );

describe("a change of nodes that run", () => {
  test("restarts one at a time, orderers first; the next only when the one before has caught up", async () => {
    const cluster = await running();
    const { restarted, caughtUp } = watching();
    let now = 0;
    let most = 0;
    const slow: CaughtUp = async (node, context) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return caughtUp(node, context);
    };
    const count = cluster.writes.length;
    const report = await init(cluster, changed({ fabricVersion: "3.2" }), { caughtUp: slow });
    expect(restarted).toEqual(hosts);
    expect(most).toBe(1);
    expect(checks(cluster, count)).toEqual(["orderer fabric-orderer:3.2", "org1 fabric-peer:3.2"]);
    const sets = linesOf(cluster, count).filter((line) => line.startsWith("apply StatefulSet"));
    expect(sets).toEqual(hosts.map((host) => `apply StatefulSet ${host.split(".").toReversed().join("/")}`));
    expect(Object.values(imagesOf(cluster))).toEqual(hosts.map(() => "3.2"));
    expect(report.outcomes.get("org1/peer0")).toEqual({ result: "changed", detail: "restarted, has caught up" });
  });

  test("what restarts nothing waits for nobody, and looks for no image", async () => {
    const cluster = await running();
    const { restarted, caughtUp } = watching();
    const count = cluster.writes.length;
    await init(cluster, changed({ peers: 3 }), { caughtUp });
    expect([restarted, checks(cluster, count)]).toEqual([[], []]);
    expect(Object.keys(imagesOf(cluster))).toHaveLength(hosts.length + 2);
  });

  test("the first that does not come up ends it: all others run as before; the right command mends it", async () => {
    const cluster = await running({ broken: ":9.9" });
    const failure = await init(cluster, changed({ fabricVersion: "9.9" })).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "not-ready",
      message: expect.stringContaining("orderer0"),
      hint: typedAs(
        expect.stringMatching(/fabric-orderer:9\.9; another: .* --fabric-version TAG; no further node is restarted/),
      ),
    });
    const images = imagesOf(cluster);
    expect(Object.keys(images).filter((host) => images[host] !== "3.1")).toEqual(["orderer0.orderer"]);
    const { restarted, caughtUp } = watching();
    await init(cluster, network, { caughtUp });
    expect(Object.values(imagesOf(cluster))).toEqual(hosts.map(() => "3.1"));
    // It was down already: no other was touched for it.
    expect(restarted).toEqual([]);
    const count = cluster.writes.length;
    expect(await init(cluster, network)).toMatchObject({ changed: 0 });
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("an image that was named by itself is told with the option that holds it, at the first run and at the next", async () => {
    const cluster = await running({ broken: ":9.9" });
    const other = changed({ peerImage: "local/peer:9.9" });
    const named = "the definition names the image local/peer:9.9; another: kubectl fabric init --peer-image IMAGE";
    await expect(init(cluster, other)).rejects.toMatchObject({
      message: expect.stringContaining("peer0.org1 did not come up again"),
      hint: typedAs(expect.stringContaining(named)),
    });
    const again = init(cluster, networkFor({ fabricVersion: "3.1" }, other));
    await expect(again).rejects.toMatchObject({ hint: typedAs(expect.stringContaining(named)) });
  });

  test("an image that is not there is known before anything is written", async () => {
    const cluster = await running({ absent: ":9.9" });
    const [before, count] = [cluster.objects(), cluster.writes.length];
    await expect(init(cluster, changed({ fabricVersion: "9.9" }))).rejects.toMatchObject({
      code: "not-ready",
      message: expect.stringMatching(/fabric-orderer:9\.9; .* \(ErrImagePull\): not found/),
      hint: typedAs(expect.stringContaining("nothing was changed")),
    });
    expect(checks(cluster, count)).toEqual(["orderer fabric-orderer:9.9"]);
    expect(cluster.objects()).toEqual(before);
  });

  test("what a killed run left of its look for an image is removed by the next, and not what another run looks at", async () => {
    const cluster = await running();
    const labels = { "app.kubernetes.io/managed-by": "kubectl-fabric", "app.kubernetes.io/component": "image-check" };
    const put = (name: string, phase: string) =>
      cluster.put({
        ...cluster.read("Pod", "orderer0-0", "orderer"),
        metadata: { name: `kubectl-fabric-image-${name}`, namespace: "orderer", labels },
        status: { phase },
      });
    for (const phase of ["Succeeded", "Failed", "Pending", "Running"]) put(phase.toLowerCase(), phase);
    const old = put("old", "Pending");
    cluster.put({ ...old, metadata: { ...old.metadata, creationTimestamp: "2020-01-01T00:00:00Z" } });
    await init(cluster, changed({ fabricVersion: "3.2" }));
    const left = cluster.objects().map(({ metadata }) => metadata.name);
    expect(left.filter((name) => name.startsWith("kubectl-fabric-image-"))).toEqual([
      "kubectl-fabric-image-pending",
      "kubectl-fabric-image-running",
    ]);
  });

  test("another Pod that has come to have the name of its own is not removed", async () => {
    const cluster = await running();
    const theirs: WireObject[] = [];
    cluster.interfere(({ verb, kind, namespace = "", name = "", writes }) => {
      if (verb !== "delete" || kind !== "Pod" || !writes) return undefined;
      const { metadata: _, ...pod } = cluster.read("Pod", name, namespace);
      cluster.erase("Pod", name, namespace);
      theirs.push(cluster.put({ ...pod, metadata: { name, namespace } }));
      return undefined;
    });
    await init(cluster, changed({ peerImage: "example.com/peer:2" }));
    const names = theirs.map(({ metadata }) => metadata.name);
    expect(names).toEqual([expect.stringMatching(/^kubectl-fabric-image-/)]);
    expect(theirs.map(({ metadata: { name, namespace } }) => cluster.find("Pod", name, namespace))).toEqual(theirs);
  });

  test.each(["create", "list", "delete"])(
    "who may not %s Pods goes on without the look, or its leftovers",
    async (not) => {
      const cluster = await running();
      const labels = { "app.kubernetes.io/managed-by": "kubectl-fabric", "app.kubernetes.io/component": "image-check" };
      cluster.put({
        ...cluster.read("Pod", "orderer0-0", "orderer"),
        metadata: { name: "kubectl-fabric-image-abcde", namespace: "orderer", labels },
        status: { phase: "Succeeded" },
      });
      cluster.interfere(({ verb, kind }) => (verb === not && kind === "Pod" ? "forbidden" : undefined));
      await init(cluster, changed({ fabricVersion: "3.2" }));
      const images = Object.entries(imagesOf(cluster)).filter(([name]) => !name.startsWith("kubectl-fabric-image-"));
      expect(images.map(([, tag]) => tag)).toEqual(hosts.map(() => "3.2"));
    },
  );

  test("one that does not catch up ends it", async () => {
    const cluster = await running();
    const { restarted, caughtUp } = watching();
    const stuck: CaughtUp = (node, context) =>
      hostOf(node) === "orderer1.orderer"
        ? Promise.reject(new FabricError("not-ready", "mychannel: 3 of 9 blocks"))
        : caughtUp(node, context);
    const ended = init(cluster, changed({ fabricVersion: "3.2" }), { caughtUp: stuck });
    await expect(ended).rejects.toMatchObject({ message: "mychannel: 3 of 9 blocks" });
    expect(restarted).toEqual(["orderer0.orderer"]);
    expect(Object.values(imagesOf(cluster)).filter((tag) => tag === "3.2")).toHaveLength(2);
  });

  test("a dry run touches none, and says which it would restart", async () => {
    const cluster = await running();
    const count = cluster.writes.length;
    const report = await init(cluster, changed({ peerImage: "example.com/peer:3.2" }), { dryRun: true });
    expect(report.outcomes.get("org2/peer1")).toMatchObject({
      result: "would-change",
      detail: "StatefulSet org2/peer1; restarts peer1.org2",
    });
    for (const id of ["org2/peer1/ready", "org2/authorities", "org2/identity/peer1", "orderer/orderer0"])
      expect(report.outcomes.get(id)).toEqual({ result: "unchanged" });
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("a node is not taken away from an organization whose other peer is down", async () => {
    const cluster = await running();
    const waiting = { name: "peer", image: "x", state: { waiting: { reason: "InvalidImageName" } } };
    const status = { phase: "Pending", conditions: [{ type: "Ready", status: "False" }], containerStatuses: [waiting] };
    cluster.put({ ...cluster.read("Pod", "peer1-0", "org1"), status });
    // Nor can it be mended.
    cluster.interfere(({ kind, verb, name, namespace }) =>
      kind === "StatefulSet" && verb === "apply" && name === "peer1" && namespace === "org1" ? "forbidden" : undefined,
    );
    const { restarted, caughtUp } = watching();
    const ended = init(cluster, changed({ peerImage: "example.com/peer:2" }), { caughtUp });
    await expect(ended).rejects.toMatchObject({
      message: expect.stringContaining("expected peer1.org1 to be ready before peer0.org1 is restarted"),
    });
    expect(restarted).toEqual([]);
  });

  test("for as long as the command has time, and then says what it waited for", async () => {
    const cluster = await running();
    const status = { phase: "Pending", conditions: [{ type: "Ready", status: "False" }] };
    cluster.put({ ...cluster.read("Pod", "peer1-0", "org1"), status });
    cluster.interfere(({ kind, verb, name, namespace }) =>
      kind === "StatefulSet" && verb === "apply" && name === "peer1" && namespace === "org1" ? "forbidden" : undefined,
    );
    const deadline = new AbortController();
    const { restarted, caughtUp } = watching();
    const ended = init(cluster, changed({ peerImage: "example.com/peer:2" }), {
      caughtUp,
      signal: deadline.signal,
      onEvent: (event) => {
        if ("text" in event && event.text === "waits for peer1.org1")
          deadline.abort(new FabricError("timeout", "gave up after 600 s"));
      },
    });
    await expect(ended).rejects.toMatchObject({
      code: "timeout",
      message: expect.stringMatching(
        /gave up after 600 s.*expected peer1\.org1 to be ready before peer0\.org1 is restarted: Pod org1\/peer1-0 was not ready/s,
      ),
    });
    expect(restarted).toEqual([]);
  });
});

test("orderers keep a quorum, of crashes and of liars; of peers one is away at most", () => {
  expect([1, 2, 3, 4, 5, 7, 10].map((count) => mayBeDown("orderer", count))).toEqual([1, 1, 1, 1, 1, 2, 3]);
  expect([1, 2, 5].map((count) => mayBeDown("peer", count))).toEqual([1, 1, 1]);
});

test("what to change is told of an image that was named, of any that the failure is about, and of a claim that waits", () => {
  const peer = { component: "peer" } as const;
  const down = "container peer runs but is not ready (its readiness probe)";
  const toChange = (of: typeof network, failure: string) => typed(whatToChange(of, peer, failure) ?? "");
  expect(whatToChange(network, peer, down)).toBeUndefined();
  expect(toChange(changed({ peerImage: "local/node:1" }), down)).toContain("--peer-image IMAGE");
  expect(toChange(network, `container peer has no image ${network.spec.images.peer} (ErrImagePull)`)).toContain(
    "--fabric-version TAG",
  );
  const waits = "no node takes the Pod: unbound; claim peer0-ledger is Pending (storage class slow)";
  expect(toChange(network, waits)).toContain("kubectl fabric init --storage-class NAME");
});

test("behind is who has fewer blocks of a channel that it has joined", () => {
  const own = new Map([
    ["one", 3],
    ["two", 9],
  ]);
  expect(behind(own, [])).toEqual([]);
  expect(behind(own, [new Map([["one", 5]]), new Map([["three", 7]])])).toEqual(["one: 3 of 5 blocks"]);
  expect(behind(own, [new Map([["two", 9]])])).toEqual([]);
});
