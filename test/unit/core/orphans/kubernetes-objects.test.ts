import { describe, expect, test } from "vitest";
import { judgeMade } from "../../../../core/orphans/places/builder-k8s.ts";
import { nodeUser } from "../../../../core/orphans/places/host-docker.ts";
import type { PeerFacts } from "../../../../core/orphans/judgement/judgement.ts";
import { mountedSocket, nodePod } from "../../../../core/orphans/places/node-pod.ts";
import type { PackageState } from "../../../../core/orphans/judgement/package-state.ts";
import { peerPod, type PeerPod } from "../../../../core/orphans/peers/peer-pod.ts";
import { podEnvironment } from "../../../../core/orphans/peers/pod-environment.ts";
import { hostKey, judgeServerBy, judgeService } from "../../../../core/orphans/places/service.ts";

const id = `asset:${"ab".repeat(32)}`;
const facts = (...states: readonly [string, PackageState][]): PeerFacts => ({ known: true, packages: new Map(states) });
const needed = facts([id, { state: "needed", because: "mychannel runs it" }]);
const superseded = facts([id, { state: "superseded", because: "asset is at 2" }]);
const nothing = facts();
const unknown: PeerFacts = { known: false, code: "connection", because: "no answer" };
const now = new Date("2026-06-01T00:00:00Z");
const old = new Date("2026-01-01T00:00:00Z");
const age = { now, olderThan: undefined };

describe("what the Kubernetes builder made", () => {
  const made = { packageId: id, mspId: "Org1MSP", peerId: "peer0" };
  test.each([
    ["for a package that runs", made, [needed], [], "needed"],
    ["for a superseded package", made, [superseded], [], "orphan"],
    ["for a package that the peer has no more", made, [nothing], [], "orphan"],
    ["for a peer that cannot be asked", made, [unknown], [], "kept"],
    ["for one of two peers of a name", made, [superseded, needed], [], "needed"],
    ["for two peers of a name, one of them silent", made, [superseded, unknown], [], "kept"],
    ["for a peer that is not seen", made, [], [], "kept"],
    ["for a peer that is gone as the user says", made, [], ["dev/peer0"], "orphan"],
    ["for a peer that the user takes for gone, and which is there", made, [needed], ["peer0"], "needed"],
    ["without annotations", {}, [superseded], ["peer0"], "kept"],
  ] as const)("%s", (_, what, known, gone, verdict) => {
    expect(judgeMade(what, known, gone, old, age).verdict).toBe(verdict);
  });
});

describe("chaincode as a service", () => {
  const all = { all: true, ours: false };
  test.each([
    ["that runs for one of two peers", id, [superseded, needed], all, "needed"],
    ["that is superseded at all peers", id, [superseded, superseded], all, "orphan"],
    ["that is superseded at one and unknown to another", id, [superseded, unknown], all, "kept"],
    ["that is superseded at one and absent from another", id, [nothing, superseded], all, "orphan"],
    ["that no peer knows of", id, [nothing], all, "kept"],
    ["that no peer knows of, made by us", id, [nothing], { all: true, ours: true }, "orphan"],
    ["when not all peers are seen", id, [superseded], { all: false, ours: false }, "kept"],
    ["without peers", id, [], all, "kept"],
    ["with a name instead of a package ID", "asset:1.0", [superseded], all, "kept"],
    ["that does not say its package", null, [superseded], all, "kept"],
  ] as const)("%s", (_, packageId, known, how, verdict) => {
    expect(judgeServerBy(packageId, known, how, old, age).verdict).toBe(verdict);
  });

  const deployment = {
    metadata: { namespace: "org1", name: "asset-1" },
    spec: { selector: {}, template: { metadata: { labels: { app: "asset", version: "1" } } } },
  };
  const server = (verdict: "orphan" | "needed" | "kept") => ({
    deployment,
    source: "service" as const,
    kind: "Deployment" as const,
    place: "namespace org1",
    name: "asset-1",
    verdict,
    because: "",
  });
  const service = { metadata: { namespace: "org1", name: "asset" }, spec: { selector: { app: "asset" } } };
  const dialled = { packages: new Map<string, string>(), unreadable: [] };

  test.each([
    ["leads only to an orphan", [server("orphan")], dialled, undefined, "orphan"],
    ["leads to one that is needed", [server("needed")], dialled, undefined, "needed"],
    ["leads to one that is kept", [server("orphan"), server("kept")], dialled, undefined, "kept"],
    ["leads to somebody else's Pod, too", [server("orphan")], dialled, "Pod web-0", "kept"],
    [
      "is in a package that is needed",
      [server("orphan")],
      { ...dialled, packages: new Map([["asset.org1", id]]) },
      undefined,
      "needed",
    ],
    [
      "is in one where each peer fills in its own name",
      [server("orphan")],
      { ...dialled, packages: new Map([["ass*t.org1", id]]) },
      undefined,
      "needed",
    ],
    [
      "is of another namespace than what is in a package",
      [server("orphan")],
      {
        ...dialled,
        packages: new Map([
          ["asset.org2", id],
          ["*.org2", id],
        ]),
      },
      undefined,
      "orphan",
    ],
    [
      "may be in a package that nobody could read",
      [server("orphan")],
      { ...dialled, unreadable: [{ because: "x" }] },
      undefined,
      "kept",
    ],
  ] as const)("a Service that %s", (_, servers, addresses, stranger, verdict) => {
    expect(judgeService(service, servers, addresses, stranger).finding.verdict).toBe(verdict);
  });

  test.each([
    ["asset:9999", "asset.org2"],
    ["asset.org1:9999", "asset.org1"],
    ["asset.org1.svc.cluster.local:9999", "asset.org1"],
    ["asset-{{.peername}}.org1:9999", "asset-*.org1"],
    ["asset.{{.namespace}}.svc:{{.port}}", "asset.*"],
    ["asset.org1:{{.port}}", "asset.org1"],
    ['{{if eq .x "}}"}}asset-a{{else}}asset-b{{end}}.org1', "*.org1"],
    // What is filled in at the end may bring a namespace with it.
    ["{{.address}}", "*"],
  ])("%s is Service %s", (address, key) => {
    expect(hostKey(address, "org2")).toBe(key);
  });
});

describe("a node's Docker", () => {
  const peer: PeerPod = {
    name: "legacy/peer-0",
    namespace: "legacy",
    pod: "peer-0",
    running: true,
    nodeName: "n1",
    docker: "node",
    owner: { networkId: "dev", peerId: "peer0" },
    tls: true,
  };
  test.each([
    ["is the peer's own", {}, "n1", true, undefined, true],
    ["was the peer's, on another node", {}, "n2", true, "legacy/peer-0 runs on node n1 now", true],
    [
      "was the peer's, before it got a sidecar",
      { docker: "sidecar" },
      "n1",
      true,
      "legacy/peer-0 has a Docker daemon of its own now",
      true,
    ],
    ["may be that of another peer of this name", { docker: "sidecar" }, "n1", false, undefined, false],
    ["is of a peer that does not run", { running: false, docker: "sidecar" }, "n2", true, undefined, true],
  ] as const)("%s", (_, changes, node, everywhere, elsewhere, known) => {
    const user = nodeUser({ ...peer, ...changes }, node, everywhere, superseded);
    expect(user).toMatchObject({ facts: { known } });
    expect(user?.elsewhere).toBe(elsewhere);
  });

  test("is seen by a Pod without privilege", () => {
    const access = { namespace: "kube-system", image: "docker:28", socket: "/run/docker.sock" };
    const { spec } = nodePod(access, "n1", "r1");
    expect(spec?.containers[0]?.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
    });
    expect(spec?.volumes).toEqual([{ name: "run", hostPath: { path: "/run", type: "Directory" } }]);
    expect(mountedSocket(access.socket)).toBe("unix:///node/docker.sock");
  });
});

describe("what a Pod says of its peer", () => {
  const configMaps: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    peer: { CORE_PEER_ID: "from-map", CORE_PEER_NETWORKID: "net" },
  };
  const read = async (name: string) => configMaps[name];
  const metadata = { name: "peer-0", namespace: "org" };

  test.each([
    ["a literal", { env: [{ name: "CORE_PEER_ID", value: "a" }] }, { networkId: "dev", peerId: "a" }],
    ["a ConfigMap", { envFrom: [{ configMapRef: { name: "peer" } }] }, { networkId: "net", peerId: "from-map" }],
    [
      "a literal over a ConfigMap",
      { envFrom: [{ configMapRef: { name: "peer" } }], env: [{ name: "CORE_PEER_ID", value: "b" }] },
      { networkId: "net", peerId: "b" },
    ],
    [
      "a key of a ConfigMap",
      { env: [{ name: "CORE_PEER_ID", valueFrom: { configMapKeyRef: { name: "peer", key: "CORE_PEER_ID" } } }] },
      { networkId: "dev", peerId: "from-map" },
    ],
    [
      "its name, by reference",
      {
        env: [
          { name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
          { name: "CORE_PEER_ID", value: "$(POD).org$$" },
        ],
      },
      { networkId: "dev", peerId: "peer-0.org$" },
    ],
    ["nothing", {}, undefined],
    [
      "a Secret, which may set the network as well",
      { envFrom: [{ secretRef: { name: "s" } }], env: [{ name: "CORE_PEER_ID", value: "a" }] },
      undefined,
    ],
    [
      "a ConfigMap that may not be read",
      { envFrom: [{ configMapRef: { name: "hidden" } }], env: [{ name: "CORE_PEER_ID", value: "a" }] },
      undefined,
    ],
  ])("%s", async (_, container, owner) => {
    const environment = await podEnvironment({ name: "peer", ...container }, metadata, read);
    expect(peerPod({ metadata }, "peer", environment).owner).toEqual(owner);
  });
});
