import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { packageAtHand } from "../../../../../core/chaincode/deployment/deployment.ts";
import { wantedSteps, type Wanted } from "../../../../../core/chaincode/daily/seed-plan.ts";
import { packChaincode } from "../../../../../core/fabric/package/chaincode-package.ts";
import { openNetwork, type OpenNetwork } from "../../../../../core/network/session/open-network.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import { nodesOf } from "../../../../../core/network/resources/nodes.ts";
import { scriptedCluster, type ScriptedCluster } from "../../scripted-cluster/scripted-cluster.ts";

const definition = networkFor({ peers: 2 });
let cluster: ScriptedCluster;
let network: OpenNetwork;
let folder: string;
beforeEach(async () => {
  cluster = await scriptedCluster();
  network = openNetwork(cluster.connect(), definition);
  folder = await mkdtemp(join(tmpdir(), "seed-plan-"));
});
afterEach(async () => {
  await network.close();
  await cluster.close();
  await rm(folder, { recursive: true });
});

async function archive(): Promise<string> {
  const tar = pack();
  tar.entry({ name: "c.json" }, "{}");
  tar.entry({ name: "manifest.json" }, JSON.stringify([{ Config: "c.json", RepoTags: ["base:1"], Layers: [] }]));
  tar.finalize();
  const file = join(folder, "base.tar");
  await writeFile(file, await buffer(tar));
  return file;
}

test("each daemon has the archives once, before any package of its peer", async () => {
  const packages = await Promise.all(
    ["asset", "token"].map(async (label) => packageAtHand(await packChaincode({ path: "", type: "node", label }, []))),
  );
  const [organization] = definition.spec.peerOrganizations;
  if (!organization) throw new Error("expected an organization");
  const peers = nodesOf(organization);
  const [gateway] = peers;
  if (!gateway) throw new Error("expected a peer");
  const place = { organization, peers, late: [], gateway };
  const wanted = packages.flatMap((pkg) => peers.map((node): Wanted => ({ place, pkg, node })));
  const steps = await wantedSteps(network, wanted, { loadImage: [await archive()] });
  const after = Object.fromEntries(steps.map((step) => [step.id, step.after.map(({ id }) => id)]));
  expect(after).toEqual({
    "image/base.tar/peer0.org1": [],
    "image/base.tar/peer1.org1": [],
    ...Object.fromEntries(
      packages.flatMap(({ id }) =>
        ["peer0.org1", "peer1.org1"].map((peer) => [`seed/${peer}/${id}`, [`image/base.tar/${peer}`]]),
      ),
    ),
  });
  expect(cluster.requests).toEqual([]);
});
