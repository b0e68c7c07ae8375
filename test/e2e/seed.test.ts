import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { once } from "../once.ts";
import { newKubectl } from "../sandbox/kubectl.ts";
import { loadImage, newest } from "./fabrics.ts";
import { newTestNetwork } from "./test-network.ts";

const { kubeconfig, binDir } = inject("cluster");
const kubectl = newKubectl(binDir, kubeconfig);
const chaincode = join(import.meta.dirname, "../chaincode/asset-transfer");
const network = await newTestNetwork("seed", { tag: newest.tag, peers: [2, 2] });
const { json: pluginJson, output: pluginOutput } = network.plugin;

/** Those of the beginning. */
const peers = [
  ["org1", "peer0"],
  ["org1", "peer1"],
  ["org2", "peer0"],
  ["org2", "peer1"],
] as const;
type Peer = readonly [organization: string, peer: string];

const docker = ([organization, peer]: Peer, ...args: string[]) =>
  kubectl([
    "-n",
    network.namespaceOf(organization),
    "exec",
    `${peer}-0`,
    "-c",
    "kubectl-fabric-dind",
    "--",
    "docker",
    ...args,
  ]);
const lines = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");

/** Builds since the daemon started: each starts one container of the image that builds. */
async function builds(peer: Peer): Promise<number> {
  const now = (await docker(peer, "info", "--format", "{{.SystemTime}}")).trim();
  const filters = ["--filter", "event=start", "--filter", "image=hyperledger/fabric-nodeenv:2.5"];
  return lines(await docker(peer, "events", "--since", "0", "--until", now, ...filters)).length;
}
const allBuilds = () => Promise.all(peers.map(builds));

/** Image ID by which a peer runs a label's package. */
async function imageOf(peer: Peer, label: string): Promise<string> {
  const reference = `seed-${peer[1]}.${network.namespaceOf(peer[0])}-${label}-*`;
  return (await docker(peer, "images", "--no-trunc", "--quiet", "--filter", `reference=${reference}`)).trim();
}

const read = (org: string) => ["query", "asset", "ReadAsset", "a1", "-C", "mychannel", "--org", org];

describe(`images in a network of Fabric ${newest.version} with two peers of each of two organizations`, () => {
  const deploy = ["deploy-cc", "asset", "-C", "mychannel", ...loadImage];
  let toBuild: string;

  beforeAll(async () => {
    toBuild = await mkdtemp(join(tmpdir(), "chaincode-to-build-"));
    await cp(chaincode, toBuild, { recursive: true });
    const file = join(toBuild, "package.json");
    const json = JSON.parse(await readFile(file, "utf8")) as { readonly scripts: object };
    // A script that npm has to run at installation is what a peer's own build is for.
    await writeFile(file, JSON.stringify({ ...json, scripts: { ...json.scripts, prepare: "node --version" } }));
    await pluginOutput(network.init);
    await pluginOutput(["join", "mychannel"]);
  });

  afterAll(async () => {
    await rm(toBuild, { recursive: true, force: true });
    await network.remove();
  });

  const composed = once(async () => {
    const { changed } = await pluginJson([...deploy, "--path", chaincode]);
    await pluginOutput(["invoke", "asset", "CreateAsset", "a1", "tom", "100", "-C", "mychannel"]);
    return changed;
  });
  const upgrade = () => [...deploy, "--path", toBuild, "--label", "built"];
  const built = once(async () => {
    await composed();
    return pluginJson(upgrade());
  });
  const given = once(async () => {
    await built();
    await docker(peers[2], "tag", await imageOf(peers[2], "built"), "example/asset:1");
    const before = await allBuilds();
    return { before, ...(await pluginJson(ofOwnImage)) };
  });
  const ofOwnImage = ["deploy-cc", "asset", "-C", "mychannel", "--label", "own", "--image", "example/asset:1"];

  test("where nothing has to be compiled, nobody builds", async () => {
    expect(await composed()).toBeGreaterThan(0);
    expect(JSON.parse(await pluginOutput(read("org2")))).toMatchObject({ owner: "tom" });
    expect(await allBuilds()).toEqual([0, 0, 0, 0]);
    const ids = await Promise.all(peers.map((peer) => imageOf(peer, "asset")));
    expect(ids[0]).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(new Set(ids).size).toBe(1);
  });

  test("else exactly one of four peers builds", async () => {
    expect((await built()).changed).toBeGreaterThan(0);
    expect((await allBuilds()).reduce((sum, count) => sum + count)).toBe(1);
    const ids = await Promise.all(peers.map((peer) => imageOf(peer, "built")));
    expect(ids[0]).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(new Set(ids).size).toBe(1);
    expect(JSON.parse(await pluginOutput(read("org1")))).toMatchObject({ owner: "tom" });
    expect(await pluginJson(upgrade())).toMatchObject({ changed: 0 });
  });

  test("a daemon that lost its images gets them back, without a build", async () => {
    await built();
    const peer = peers[3];
    const containers = lines(await docker(peer, "ps", "--all", "--quiet"));
    await docker(peer, "rm", "--force", ...containers);
    await docker(peer, "image", "prune", "--all", "--force");
    expect(await imageOf(peer, "built")).toBe("");
    const before = await allBuilds();
    expect((await pluginJson(["chaincode", "seed", "--dry-run"])).wouldChange).toBe(1);
    const { steps, changed } = await pluginJson(["chaincode", "seed", "asset"]);
    expect(changed).toBe(1);
    expect(steps.find(({ result }) => result === "changed")?.id).toMatch(/^seed\/peer1\.seed-org2\/built:/);
    expect(await imageOf(peer, "built")).toBe(await imageOf(peers[0], "built"));
    expect(await allBuilds()).toEqual(before);
    expect(await pluginJson(["chaincode", "seed"])).toMatchObject({ changed: 0 });
  });

  test("an image of one's own is run by all, whoever has it", async () => {
    const { before, changed } = await given();
    expect(changed).toBeGreaterThan(0);
    expect(JSON.parse(await pluginOutput(read("org1")))).toMatchObject({ owner: "tom" });
    expect(await allBuilds()).toEqual(before);
    const ids = await Promise.all(peers.map((peer) => imageOf(peer, "own")));
    expect(new Set(ids)).toEqual(new Set([await imageOf(peers[2], "built")]));
    expect(await pluginJson(ofOwnImage)).toMatchObject({ changed: 0 });
  });

  test("a peer that joins late gets what its organization runs, without a build", async () => {
    await given();
    const late: readonly Peer[] = [
      ["org1", "peer2"],
      ["org2", "peer2"],
    ];
    await pluginOutput(["init", "--peers", "3"]);
    const { steps } = await pluginJson(["join", "mychannel"]);
    const seeded = steps.filter(({ id, result }) => id.startsWith("seed/") && result === "changed").map(({ id }) => id);
    expect(seeded.toSorted()).toEqual([
      expect.stringMatching(/^seed\/peer2\.seed-org1\/own:/),
      expect.stringMatching(/^seed\/peer2\.seed-org2\/own:/),
    ]);
    for (const peer of late) {
      expect(await imageOf(peer, "own")).toBe(await imageOf(peers[0], "own"));
      expect(await builds(peer)).toBe(0);
    }
    expect(await pluginJson(["join", "mychannel"])).toMatchObject({ changed: 0 });
    expect(await pluginJson(["chaincode", "seed"])).toMatchObject({ changed: 0 });
    // With the others gone it is this one that answers.
    await kubectl(["-n", network.namespaceOf("org1"), "scale", "statefulset", "peer0", "peer1", "--replicas=0"]);
    await kubectl([
      "-n",
      network.namespaceOf("org1"),
      "wait",
      "--for=delete",
      "pod/peer0-0",
      "pod/peer1-0",
      "--timeout=60s",
    ]);
    expect(JSON.parse(await pluginOutput(read("org1")))).toMatchObject({ owner: "tom" });
    expect(await builds(["org1", "peer2"])).toBe(0);
  });
});
