import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { whereabouts } from "../../../../../core/chaincode/daily/logs.ts";
import {
  runningServices,
  serviceOf,
  type RunningService,
} from "../../../../../core/chaincode/runtime/running-service.ts";
import { serviceLog } from "../../../../../core/chaincode/daily/service-log.ts";
import { serviceRestartStep } from "../../../../../core/chaincode/daily/service-restart.ts";
import { serviceName, type ServiceIdentity } from "../../../../../core/chaincode/runtime/service-name.ts";
import { serviceObjects } from "../../../../../core/chaincode/runtime/service-objects.ts";
import type { PeerChaincode } from "../../../../../core/chaincode/daily/state.ts";
import { chaincodeDetails, chaincodesTable, where } from "../../../../../plugin/commands/chaincode/table.ts";
import { appliedStep } from "../../../../../core/kubernetes/steps/object-steps.ts";
import { openNetwork } from "../../../../../core/network/session/open-network.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import { hostOf, nodesOf, peerNodes } from "../../../../../core/network/resources/nodes.ts";
import { runToEnd } from "../../../../run-to-end.ts";
import { scriptedCluster, type ScriptedCluster } from "../../scripted-cluster/scripted-cluster.ts";
import { deploymentController, usualControllersBut } from "../../scripted-cluster/controllers.ts";
import { typedAs } from "../../../../typed-as.ts";

const { signal } = new AbortController();
const definition = networkFor({ peers: 2, orderers: 1 });
const [organization] = definition.spec.peerOrganizations;
if (!organization) throw new Error("expected an organization");
const identity = (per: "organization" | "peer" = "organization"): ServiceIdentity => ({
  chaincode: "asset",
  channel: "mychannel",
  label: "asset",
  image: "example.com/asset:1",
  per,
  clientAuth: false,
});
const packageId = `asset:${"ab".repeat(32)}`;
const objects = (per?: "organization" | "peer") =>
  serviceObjects(definition, { identity: identity(per), organization, packageId }, "c1");

let cluster: ScriptedCluster;
const start = async (options?: Parameters<typeof scriptedCluster>[0]) => {
  cluster = await scriptedCluster(options);
  cluster.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "org1" } });
};
beforeEach(() => start());
afterEach(() => cluster.close());

const applied = (per?: "organization" | "peer") =>
  appliedStep(cluster.connect(), { id: "objects", title: "objects", after: [], objects: objects(per) });
const deployed = async (per?: "organization" | "peer") => void (await runToEnd([applied(per)], { signal }));
const services = async () => (await runningServices(cluster.connect(), organization, signal)) ?? [];

/** A Pod of the service, whose container was started so many times before. */
function pod(
  name: string,
  { restarts = 0, state = { running: {} } }: { restarts?: number; state?: object } = {},
): void {
  cluster.put({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "org1",
      labels: { "app.kubernetes.io/component": "chaincode", "app.kubernetes.io/instance": serviceName(identity()) },
    },
    spec: { containers: [{ name: "chaincode" }] },
    status: {
      phase: "Running",
      containerStatuses: [
        { name: "chaincode", image: "example.com/asset:1", imageID: "", ready: false, restartCount: restarts, state },
      ],
    },
  });
}

describe("a service", () => {
  test("of an organization is that of each of its peers, and ready when its Pods are", async () => {
    await deployed();
    await cluster.happened(({ object }) => object.kind === "Deployment" && "status" in object);
    const found = await services();
    const name = serviceName(identity());
    expect(found).toMatchObject([
      { namespace: "org1", name, packageId, image: "example.com/asset:1", ready: true, status: "1 of 1 Pods ready" },
    ]);
    for (const node of nodesOf(organization)) expect(serviceOf(found, node, packageId)?.name).toBe(name);
    for (const node of peerNodes(definition).filter((one) => one.organization.name === "org2")) {
      expect(serviceOf(found, node, packageId)).toBeUndefined();
    }
    const [node] = nodesOf(organization);
    expect(node && serviceOf(found, node, `asset:${"cd".repeat(32)}`)).toBeUndefined();
  });

  test("of a peer is that of no other", async () => {
    await deployed("peer");
    const found = await services();
    const own = nodesOf(organization).map((node) => serviceOf(found, node, packageId)?.name);
    expect(own).toEqual(["peer0", "peer1"].map((peer) => `${serviceName(identity("peer"))}-${peer}`));
  });

  test("whose Pod does not run says why", async () => {
    await cluster.close();
    await start({ controllers: usualControllersBut(deploymentController) });
    await deployed();
    pod("cc-1", { state: { waiting: { reason: "ImagePullBackOff", message: "not found" } } });
    expect(await services()).toMatchObject([
      {
        ready: false,
        status: "Pod cc-1: container chaincode has no image example.com/asset:1 (ImagePullBackOff): not found",
      },
    ]);
  });

  test("is not known to who may not list Deployments", async () => {
    cluster.interfere(({ kind }) => (kind === "Deployment" ? "forbidden" : undefined));
    expect(await runningServices(cluster.connect(), organization, signal)).toBeUndefined();
  });
});

const service = (changes: Partial<RunningService> = {}): RunningService => ({
  namespace: "org1",
  name: "cc-asset-1",
  packageId,
  image: "example.com/asset:1",
  ready: true,
  status: "1 of 1 Pods ready",
  selector: {},
  ...changes,
});
const peerState = (peer: string, changes: Partial<PeerChaincode> = {}): PeerChaincode => ({
  peer,
  organization: peer.replace(/^.*\./, ""),
  packageId,
  installed: true,
  container: "none",
  ...changes,
});
const stateOf = (peers: readonly PeerChaincode[]) => ({
  channel: "mychannel",
  name: "asset",
  version: "1",
  sequence: 1,
  policy: "",
  collections: [],
  initRequired: false,
  approvals: {},
  peers,
});
const container = { id: "0123456789abcdef", name: "c", image: "i", state: "running", status: "Up 3 minutes" } as const;

describe("what is said of it", () => {
  test("in a list: whether it serves", () => {
    expect(where(peerState("peer0.org1", { service: service() }))).toBe("serving");
    expect(where(peerState("peer0.org1", { service: service({ ready: false }) }))).toBe("not-serving");
    expect(where(peerState("peer0.org1"))).toBe("installed");
    expect(chaincodesTable([stateOf([peerState("peer0.org1", { service: service() })])])).toContain(
      "peer0.org1:serving",
    );
  });

  test("in detail: which Deployment, how it is, and of what image", () => {
    const peers = [
      peerState("peer0.org1", { service: service() }),
      peerState("peer1.org1", { service: service({ ready: false, status: "Pod x: no image" }) }),
      peerState("peer0.org2", { container }),
    ];
    const rows = chaincodeDetails(stateOf(peers), [])
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    expect(
      rows
        .filter(([peer = ""]) => peer.startsWith("peer"))
        .map(([peer, ...rest]) => [peer, ...rest.filter((cell) => cell !== packageId)]),
    ).toEqual([
      ["peers"],
      ["peer0.org1", "serving", "1 of 1 Pods ready", "Deployment org1/cc-asset-1", "example.com/asset:1"],
      ["peer1.org1", "not-serving", "Pod x: no image", "Deployment org1/cc-asset-1", "example.com/asset:1"],
      ["peer0.org2", "running", "Up 3 minutes", "container 0123456789ab", "i"],
    ]);
  });

  const find = (peers: readonly PeerChaincode[], peer?: string) => {
    const { containers, services: found } = whereabouts({ definition }, stateOf(peers), peer);
    return {
      containers: containers.map(({ node }) => hostOf(node)),
      services: found.map(({ service: { name }, nodes }) => [name, ...nodes.map(hostOf)]),
    };
  };

  test("one service for all peers that dial it, containers of others beside it", () => {
    const peers = [
      peerState("peer0.org1", { service: service() }),
      peerState("peer1.org1", { service: service() }),
      peerState("peer0.org2", { container }),
      peerState("peer1.org2"),
    ];
    expect(find(peers)).toEqual({
      containers: ["peer0.org2"],
      services: [["cc-asset-1", "peer0.org1", "peer1.org1"]],
    });
    expect(find(peers, "peer1.org1")).toEqual({ containers: [], services: [["cc-asset-1", "peer1.org1"]] });
    expect(() => find(peers, "peer1.org2")).toThrow(
      "expected a container of asset at peer1.org2, or a Deployment of kubectl fabric that runs it, found none",
    );
  });

  test("peers that cannot be asked are named, those of a service that answers aside", () => {
    const away = { installed: false, problem: "no Pod yet" } as const;
    const peers = [
      peerState("peer0.org1", { container }),
      peerState("peer1.org1", { ...away, service: service() }),
      peerState("peer0.org2", away),
      peerState("peer1.org2", away),
    ];
    const { leftOut } = whereabouts({ definition }, stateOf(peers), undefined);
    expect(leftOut).toEqual(["left out: peer0.org2, peer1.org2 (no Pod yet)"]);
    expect(() => whereabouts({ definition }, stateOf(peers), "peer1.org2")).toThrow(
      expect.objectContaining({
        code: "not-ready",
        message:
          "expected a container of asset at peer1.org2, or a Deployment of kubectl fabric that runs it, " +
          "found none; left out: peer1.org2 (no Pod yet)",
        hint: typedAs(expect.stringMatching(/^kubectl fabric doctor .*kubectl fabric init/)),
      }) as Error,
    );
    expect(() => find(peers, "peer9.org9")).toThrow("expected a peer (peer0.org1, peer1.org1, peer0.org2, peer1.org2)");
  });
});

describe("its log", () => {
  const name = serviceName(identity());
  const selector = { "app.kubernetes.io/component": "chaincode", "app.kubernetes.io/instance": name };
  const about = service({ name, selector });

  test("is that of its Pods, with their names", async () => {
    pod("cc-1");
    pod("cc-2");
    pod("cc-3", { state: { waiting: { reason: "ImagePullBackOff" } } });
    cluster.write("org1", "cc-1", "chaincode", "one\ntwo\n");
    cluster.write("org1", "cc-2", "chaincode", "three\n");
    const lines: string[] = [];
    const print = (from: string, line: string) => void lines.push(`${from} ${line}`);
    await serviceLog(cluster.connect(), about, { follow: false, tailLines: 1 }, print, signal);
    expect(lines.toSorted()).toEqual(["cc-1 two", "cc-2 three"]);
  });

  test("is missed where no Pod has started, with the reason", async () => {
    pod("cc-3", { state: { waiting: { reason: "ImagePullBackOff" } } });
    const reading = serviceLog(
      cluster.connect(),
      { ...about, ready: false, status: "Pod cc-3: no image" },
      { follow: false },
      () => {},
      signal,
    );
    await expect(reading).rejects.toMatchObject({
      code: "not-ready",
      message: `expected a Pod of Deployment org1/${name} that has started, found none: Pod cc-3: no image`,
    });
  });

  test("goes on with the container's next start and with other Pods, whole, until it is stopped", async () => {
    pod("cc-1");
    cluster.write("org1", "cc-1", "chaincode", "old\nlast\n");
    const stop = new AbortController();
    const lines: string[] = [];
    const print = (from: string, line: string) => {
      lines.push(`${from} ${line}`);
      if (lines.length === 1) {
        cluster.write("org1", "cc-1", "chaincode", "again\nand again\n");
        pod("cc-1", { restarts: 1 });
        cluster.write("org1", "cc-2", "chaincode", "another\n");
        pod("cc-2");
      }
      if (lines.length === 4) stop.abort();
    };
    await serviceLog(cluster.connect(), about, { follow: true, tailLines: 1 }, print, stop.signal);
    expect(lines[0]).toBe("cc-1 last");
    expect(lines.slice(1).toSorted()).toEqual(["cc-1 again", "cc-1 and again", "cc-2 another"]);
  });
});

test("its restart is that of kubectl, and what deploy-cc finds as it wants it", async () => {
  await deployed();
  const network = openNetwork(cluster.connect(), definition);
  const about = service({ name: serviceName(identity()) });
  const now = () => new Date("2026-01-02T03:04:05Z");
  const step = serviceRestartStep(network, { channel: "mychannel", name: "asset" }, about, [], now);
  const report = await runToEnd([step], { signal });
  expect(report.outcomes.get(step.id)).toMatchObject({ result: "changed" });
  expect(cluster.read("Deployment", about.name, "org1")).toMatchObject({
    spec: {
      template: { metadata: { annotations: { "kubectl.kubernetes.io/restartedAt": "2026-01-02T03:04:05.000Z" } } },
    },
  });
  expect(await applied().observe({ signal, progress: () => {} })).toEqual({ is: "so" });
  await network.close();
});
