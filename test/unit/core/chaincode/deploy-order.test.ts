import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stepsFor } from "../../../../core/chaincode/rollout/plan.ts";
import {
  packageAtHand,
  type Deployment,
  type Runtime,
  type Target,
} from "../../../../core/chaincode/deployment/deployment.ts";
import { newDindRuntime } from "../../../../core/chaincode/runtime/dind.ts";
import { newServiceRuntime } from "../../../../core/chaincode/runtime/service.ts";
import { FabricError } from "../../../../core/error.ts";
import { packChaincode } from "../../../../core/fabric/package/chaincode-package.ts";
import { openNetwork, type OpenNetwork } from "../../../../core/network/session/open-network.ts";
import { networkFor } from "../../../../core/network/resources/network-request.ts";
import { nodesOf } from "../../../../core/network/resources/nodes.ts";
import { runToEnd } from "../../../run-to-end.ts";
import type { Step } from "../../../../core/engine/step.ts";
import { clusterWithWebhook, init } from "../network/network-cluster.ts";
import type { ScriptedCluster } from "../scripted-cluster/scripted-cluster.ts";
import { assetDefinition } from "./scripted-peers.ts";

const { signal } = new AbortController();
const definition = networkFor({ orderers: 1, peers: 2 });
let cluster: ScriptedCluster;
let network: OpenNetwork;
beforeAll(async () => {
  cluster = await clusterWithWebhook();
  await init(cluster, definition, { now: new Date() });
  network = openNetwork(cluster.connect(), definition);
});
afterAll(async () => {
  await network.close();
  await cluster.close();
});

const organizations = definition.spec.peerOrganizations;
const request = {
  chaincode: "asset",
  channel: "mychannel",
  label: "asset",
  chosen: false,
  organizations,
  prepare: () => Promise.resolve(undefined),
};

async function planOf(runtime: Runtime): Promise<readonly Step[]> {
  const pkg = packageAtHand(await packChaincode({ path: "", type: "node", label: "asset" }, []));
  const targets = organizations.map((organization): Target => {
    const peers = nodesOf(organization);
    const [gateway] = peers;
    if (!gateway) throw new Error("expected a peer");
    return { organization, peers, late: [], gateway, pkg: runtime.packageFor?.(organization) ?? pkg };
  });
  const deployment: Deployment = {
    network,
    channel: "mychannel",
    definition: assetDefinition,
    isNew: true,
    targets,
    runtime,
    enough: undefined,
    patience: undefined,
    deploymentBy: () => ({ operation: "deploy" }),
  };
  return stepsFor(deployment, {});
}

/** Runs a plan with nothing behind it; gives what was done, in order. Whatever a name matches fails. */
async function doneWhere(plan: readonly Step[], fails?: RegExp): Promise<readonly string[]> {
  const done: string[] = [];
  for (const step of plan) {
    // Where it stands: others come after this very step.
    Object.assign(step, {
      observe: () => Promise.resolve({ is: "differs" }),
      act: async () => {
        if (fails?.test(step.id)) throw new FabricError("timeout", "it was not ready");
        done.push(step.id);
      },
    });
  }
  const end = await runToEnd(plan, { signal }).then(
    () => "done",
    ({ message }: Error) => message,
  );
  expect(end).toBe(fails ? "it was not ready" : "done");
  return done;
}

const of = (done: readonly string[], pattern: RegExp) => done.filter((id) => pattern.test(id));

describe("chaincode as a service", () => {
  const service = (per: "organization" | "peer") =>
    newServiceRuntime(network, request, { image: "example.com/asset:1", per, clientAuth: true }, signal);

  test.each(["organization", "peer"] as const)(
    "per %s: keys, Deployment, ready Pods, install, approve, commit",
    async (per) => {
      const done = await doneWhere(await planOf(await service(per)));
      for (const { name } of organizations) {
        const stages = [
          new RegExp(`^service/${name}/(client|keys)$`),
          new RegExp(`^service/${name}/deployment$`),
          new RegExp(`^service/${name}/.*/ready$`),
          new RegExp(`^install/peer\\d\\.${name}$`),
          new RegExp(`^approve/${name}$`),
          /^commit$/,
        ];
        const own = done.flatMap((id) => {
          const stage = stages.findIndex((pattern) => pattern.test(id));
          return stage < 0 ? [] : [stage];
        });
        expect(own).toEqual(per === "peer" ? [0, 0, 1, 2, 2, 3, 3, 4, 5] : [0, 0, 1, 2, 3, 3, 4, 5]);
      }
    },
  );

  test("that does not run leaves no package with its organization's peers; another organization has its own", async () => {
    const done = await doneWhere(await planOf(await service("organization")), /^service\/org1\/.*\/ready$/);
    expect(of(done, /^(install|approve)\/|^commit$/).toSorted()).toEqual([
      "approve/org2",
      "install/peer0.org2",
      "install/peer1.org2",
    ]);
  });
});

test("chaincode in daemons is installed at once", async () => {
  const done = await doneWhere(await planOf(newDindRuntime(network, request, "dind", undefined)));
  expect(done.slice(0, 4).toSorted()).toEqual(
    organizations
      .flatMap((organization) => nodesOf(organization).map(({ name }) => `install/${name}.${organization.name}`))
      .toSorted(),
  );
});
