import { afterEach, beforeEach, expect, test } from "vitest";
import type { PackageToDeploy, Target } from "../../../../../core/chaincode/deployment/deployment.ts";
import { newDindRuntime } from "../../../../../core/chaincode/runtime/dind.ts";
import { serviceLabels, type ServiceIdentity } from "../../../../../core/chaincode/runtime/service-name.ts";
import { keysSecretName, serviceObjects } from "../../../../../core/chaincode/runtime/service-objects.ts";
import type { ChaincodePackage } from "../../../../../core/fabric/package/chaincode-package.ts";
import { openNetwork } from "../../../../../core/network/session/open-network.ts";
import { nodesOf } from "../../../../../core/network/resources/nodes.ts";
import type { PeerOrganization } from "../../../../../core/network/resources/spec.ts";
import { runToEnd } from "../../../../run-to-end.ts";
import { small } from "../../network/network-cluster.ts";
import { scriptedCluster, type ScriptedCluster } from "../../scripted-cluster/scripted-cluster.ts";
import type { WireObject } from "../../scripted-cluster/stored-objects.ts";

const [organization] = small.spec.peerOrganizations as [PeerOrganization];
const [gateway] = nodesOf(organization) as [ReturnType<typeof nodesOf>[number]];
const identity: ServiceIdentity = {
  chaincode: "asset",
  channel: "mychannel",
  label: "asset",
  image: "example/asset:1",
  per: "organization",
  clientAuth: false,
};

let cluster: ScriptedCluster;
beforeEach(async () => {
  cluster = await scriptedCluster({ controllers: [] });
  cluster.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "org1" } });
  for (const object of serviceObjects(small, { identity, organization, packageId: "asset:service" }, "c1")) {
    cluster.put(object as unknown as WireObject);
  }
  const labels = serviceLabels(small, organization, identity);
  const metadata = { name: keysSecretName(identity), namespace: "org1", labels };
  cluster.put({ apiVersion: "v1", kind: "Secret", metadata });
});
afterEach(() => cluster.close());

const kinds = () =>
  cluster
    .objects("org1")
    .map(({ kind }) => kind)
    .filter((kind) => kind !== "Namespace")
    .toSorted();
const service = ["Deployment", "NetworkPolicy", "Secret", "Service"];

/** What becomes of the service once the package runs in the peers' own daemons. */
async function move(pkg: PackageToDeploy, chosen: boolean): Promise<void> {
  const network = openNetwork(cluster.connect(), small);
  const prepare = () => Promise.resolve(undefined);
  const request = { chaincode: "asset", channel: "mychannel", label: "asset", organizations: [organization] };
  const runtime = newDindRuntime(network, { ...request, chosen, prepare }, "dind", undefined);
  const target: Target = { organization, peers: [], late: [], gateway, pkg };
  await runToEnd(runtime.afterwards(target, []));
}

/** Of which only the ID is known until it is asked for. */
const byId = (type: string): PackageToDeploy => ({
  id: "asset:1",
  type: undefined,
  load: () => Promise.resolve({ metadata: { type, label: "asset" } } as unknown as ChaincodePackage),
});

test("a rollback into the daemons leaves nothing of the service", async () => {
  expect(kinds()).toEqual(service);
  await move(byId("node"), true);
  expect(kinds()).toEqual([]);
});

test("an upgrade into the daemons leaves nothing of it either", async () => {
  await move({ ...byId("node"), type: "node" }, true);
  expect(kinds()).toEqual([]);
});

test("a package that is called as a service may need it yet", async () => {
  await move(byId("ccaas"), true);
  expect(kinds()).toEqual(service);
});

test("where the package stays, its service does", async () => {
  await move(byId("node"), false);
  expect(kinds()).toEqual(service);
});
