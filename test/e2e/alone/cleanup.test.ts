import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { containerNameOf, imageNameOf } from "../../../core/fabric/chaincode/chaincode-container.ts";
import { startDocker, type DockerDaemon } from "../../contract/docker.ts";
import { newKubectl } from "../../sandbox/kubectl.ts";
import { listProcesses, type Process } from "../../sandbox/processes.ts";
import { loadImage, newest } from "../fabrics.ts";
import { processesOf } from "../pod-processes.ts";
import { newTestNetwork } from "../test-network.ts";
import { once } from "../../once.ts";
import { wholeNumber } from "../../whole-number.ts";

const { kubeconfig, binDir, sandbox } = inject("cluster");
const kubectl = newKubectl(binDir, kubeconfig);
const network = await newTestNetwork("cleanup", { tag: newest.tag, orderers: 3 });
const { json: pluginJson, output: pluginOutput, run: runPlugin, start: startPlugin } = network.plugin;
const { namespaceOf } = network;
/** How often the chaincode is upgraded while Pods die. */
const upgrades = wholeNumber("CLEANUP_UPGRADES") ?? 2;

interface Finding {
  readonly source: string;
  readonly place: string;
  readonly kind: string;
  readonly name: string;
  readonly peer?: string;
  readonly packageId?: string;
  readonly because: string;
}

interface CleanupJson {
  readonly orphans: readonly Finding[];
  readonly kept: readonly Finding[];
  readonly needed: number;
  readonly uncommitted: readonly { readonly peer: string; readonly packageId: string }[];
  readonly notLookedAt: readonly { readonly source?: string; readonly place: string; readonly because: string }[];
  readonly removed?: { readonly changed: number };
  readonly mayComeBack?: readonly object[];
}

const key = ({ source, place, kind, name }: Finding) => `${source}/${place}/${kind}/${name}`;
const keys = (findings: readonly Finding[]) => findings.map(key).toSorted((one, other) => (one < other ? -1 : 1));

/** Whatever its exit code: 3 says that something could not be looked at. */
async function cleanup(...args: readonly string[]): Promise<CleanupJson & { readonly code: number | null }> {
  const { code, stdout, stderr } = await runPlugin(["cleanup", ...args, "-o", "json"]);
  if (code !== 0 && code !== 3) throw new Error(`cleanup ${args.join(" ")} ended with ${code}: ${stderr}`);
  return { ...(JSON.parse(stdout) as CleanupJson), code };
}

const inSidecar = (organization: string, script: string): Promise<string> =>
  kubectl(["-n", namespaceOf(organization), "exec", "-i", "peer0-0", "-c", "kubectl-fabric-dind", "--", "sh", "-e"], {
    input: script,
  });
/** Sorted: Docker lists several names of one image in any order. */
const lines = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .toSorted();
const chaincodeImages = async (organization: string) =>
  lines(await inSidecar(organization, "docker images --format '{{.Repository}}'")).filter((name) =>
    name.startsWith("cleanup-peer0"),
  );
const containers = async (organization: string) =>
  lines(await inSidecar(organization, "docker ps -a --format '{{.Names}}'"));

/** Which Pods die, and when: CLEANUP_SEED draws the same again. */
const seed = wholeNumber("CLEANUP_SEED") ?? Date.now() | 0;
const isChaincode = ({ argv }: Process): boolean => argv.includes("--peer.address");

describe.skipIf(!sandbox)(`cleanup on Fabric ${newest.version}`, () => {
  const organizations = ["org1", "org2"] as const;
  const peerOf = (organization: string) => `peer0.${namespaceOf(organization)}`;
  const owner = (organization: string) => ({ networkId: "cleanup", peerId: peerOf(organization) });
  let folder: string;

  async function change(version_: number): Promise<void> {
    const file = join(folder, "package.json");
    const manifest = JSON.parse(await readFile(file, "utf8")) as object;
    await writeFile(file, JSON.stringify({ ...manifest, version: `1.0.${version_}` }));
  }

  const deploy = () => runPlugin(["deploy-cc", "asset", "--path", folder, "-C", "mychannel", ...loadImage]);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "cleanup-chaincode-"));
    const source = join(import.meta.dirname, "../../chaincode/asset-transfer");
    await cp(source, folder, { recursive: true });
    await pluginOutput(["webhook", "install"]);
    await pluginOutput(network.init);
    await pluginOutput(["join", "mychannel"]);
    const first = await deploy();
    expect(first.stderr + first.stdout).toMatch(/done/);
    await pluginOutput(["invoke", "asset", "CreateAsset", "a1", "tom", "100", "-C", "mychannel"]);
  });

  afterAll(async () => {
    await network.remove();
    await pluginOutput(["webhook", "uninstall", "--yes"]);
    await rm(folder, { recursive: true, force: true });
  });

  /** Upgrades while Pods die, and cleans up once. */
  const upgraded = once(async () => {
    const pods = ["org1/peer0", "org2/peer0", "orderer/orderer0", "orderer/orderer1", "orderer/orderer2"];
    const kill = fc.record({ pod: fc.constantFrom(...pods), milliseconds: fc.nat(6000) });
    for (const [index, { pod, milliseconds }] of fc.sample(kill, { seed, numRuns: upgrades }).entries()) {
      const upgrade = index + 1;
      console.log(`CLEANUP_SEED=${seed}, upgrade ${upgrade}: ${pod} is killed after ${milliseconds} ms`);
      await change(upgrade);
      const [organization = "", node = ""] = pod.split("/");
      const namespace = namespaceOf(organization);
      const killing = sleep(milliseconds).then(() =>
        kubectl(["-n", namespace, "delete", "pod", `${node}-0`, "--force", "--grace-period=0", "--wait=false"]),
      );
      const interrupted = await deploy();
      await killing;
      if (interrupted.code === 0) continue;
      // As a person would: typed again when the Pod is back.
      await kubectl(["-n", namespace, "rollout", "status", `statefulset/${node}`, "--timeout=120s"]);
      const { code, stderr } = await deploy();
      if (code !== 0) {
        throw new Error(`upgrade ${upgrade}, ${node}.${namespace} killed: ${interrupted.stderr}\nagain: ${stderr}`);
      }
    }
    // Both peers are there, and run the newest.
    for (const organization of organizations) {
      await kubectl(["-n", namespaceOf(organization), "rollout", "status", "statefulset/peer0", "--timeout=120s"]);
      await expect.poll(() => readAsset(organization), { timeout: 60_000 }).toMatchObject({ code: 0 });
    }
    const found = await cleanup("--yes", "--older-than", "0s");
    const images = found.orphans.filter(({ kind, packageId }) => kind === "image" && packageId !== undefined);
    const superseded = [...new Set(images.map(({ packageId = "" }) => packageId))];
    const [name = ""] = await containers("org1");
    const running = name.replace(/^cleanup-peer0\.cleanup-org1-(.*)-([0-9a-f]{64})$/, "$1:$2");
    return { found, images, superseded, running };
  });
  const readAsset = (organization: string) =>
    runPlugin(["query", "asset", "ReadAsset", "a1", "-C", "mychannel", "--org", organization]);

  test(
    `after ${upgrades} upgrades with Pods killed at random one cleanup leaves no orphan`,
    { timeout: 3_600_000 },
    async () => {
      const { found, images, superseded, running } = await upgraded();
      expect(found.code).toBe(0);
      expect(superseded).toHaveLength(upgrades);
      expect(images).toHaveLength(organizations.length * upgrades);
      expect(found.removed?.changed).toBeGreaterThanOrEqual(images.length);
      expect(found.mayComeBack).toEqual([]);
      const after = await cleanup("--older-than", "0s");
      expect(after).toMatchObject({ orphans: [], kept: [], uncommitted: [], notLookedAt: [] });
      for (const organization of organizations) {
        const [image, ...others] = await chaincodeImages(organization);
        expect(others).toEqual([]);
        expect(image).toMatch(new RegExp(`^cleanup-${peerOf(organization)}-asset-`));
        expect(await containers(organization)).toHaveLength(1);
        const read = ["query", "asset", "ReadAsset", "a1", "-C", "mychannel", "--org", organization];
        expect(JSON.parse(await pluginOutput(read))).toMatchObject({ id: "a1" });
        const inPod = await processesOf(kubectl, namespaceOf(organization), "peer0-0");
        expect(inPod().filter(isChaincode)).toHaveLength(1);
      }
      expect(running).toMatch(/^asset:[0-9a-f]{64}$/);
    },
  );

  describe("a scene of 200 orphans and 50 others", () => {
    const hashOf = (text: string) => createHash("sha256").update(text).digest("hex");
    const gone = (index: number) => `gone_${index}:${hashOf(`gone ${index}`)}`;
    const range = (count: number) => Array.from({ length: count }, (_, index) => index);
    const ours = (organization: string) => ({
      "app.kubernetes.io/managed-by": "kubectl-fabric",
      "kubectl-fabric.io/network": "cleanup",
      "kubectl-fabric.io/org": organization,
    });
    let host: DockerDaemon;
    const orphans = new Set<string>();
    const later = new Set<string>();

    const built = (kind: "Job" | "Secret", name: string, packageId: string, organization: string, peerId: string) => {
      const mspId = `${organization.charAt(0).toUpperCase()}${organization.slice(1)}MSP`;
      const metadata = {
        name,
        namespace: namespaceOf(organization),
        labels: { "app.kubernetes.io/created-by": "fabric-builder-k8s", "app.kubernetes.io/component": "chaincode" },
        annotations: {
          "fabric-builder-k8s-ccid": packageId,
          "fabric-builder-k8s-mspid": mspId,
          "fabric-builder-k8s-peerid": peerId,
        },
      };
      if (kind === "Secret") return { apiVersion: "v1", kind, metadata };
      const container = { name: "chaincode", image: "docker.io/local/node:1" };
      const spec = { suspend: true, template: { spec: { restartPolicy: "Never", containers: [container] } } };
      return { apiVersion: "batch/v1", kind, metadata, spec };
    };
    const served = (name: string, packageId: string, labels: object) => {
      const app = { app: name };
      const env = [{ name: "CHAINCODE_ID", value: packageId }];
      const container = { name: "chaincode", image: "docker.io/local/node:1", env };
      const metadata = { name, namespace: namespaceOf("org1"), labels };
      return [
        {
          apiVersion: "apps/v1",
          kind: "Deployment",
          metadata,
          spec: {
            replicas: 0,
            selector: { matchLabels: app },
            template: { metadata: { labels: app }, spec: { containers: [container] } },
          },
        },
        { apiVersion: "v1", kind: "Service", metadata, spec: { selector: app, ports: [{ port: 9999 }] } },
      ];
    };

    beforeAll(async () => {
      const { superseded, running } = await upgraded();
      const [old = ""] = superseded;
      const script: string[] = [];
      const [image = ""] = await chaincodeImages("org1");
      const step = "/bin/sh -c '#(nop) LABEL a=b'";
      for (const index of range(40)) {
        script.push(`docker tag ${image} ${imageNameOf(owner("org1"), gone(index))}`);
        orphans.add(`dind/cleanup-org1/peer0-0/image/${imageNameOf(owner("org1"), gone(index))}:latest`);
      }
      for (const index of range(20)) {
        const name = containerNameOf(owner("org1"), gone(index));
        script.push(`docker create --name ${name} ${image} true >/dev/null`);
        orphans.add(`dind/cleanup-org1/peer0-0/container/${name}`);
        script.push(`docker create --name step_${index} ${image} ${step} >/dev/null`);
        orphans.add(`dind/cleanup-org1/peer0-0/build container/step_${index}`);
      }
      for (const index of range(8)) {
        script.push(`docker tag ${image} ${imageNameOf({ networkId: "other", peerId: "peer" }, gone(index))}`);
        script.push(`docker tag ${image} mine:${index}`);
      }
      await inSidecar("org1", script.join("\n"));

      const objects: object[] = [];
      for (const index of range(25)) {
        objects.push(built("Job", `hlfcc-old-${index}`, old, "org1", peerOf("org1")));
        objects.push(built("Secret", `hlfcc-old-${index}`, gone(index), "org1", peerOf("org1")));
        for (const kind of ["Job", "Secret"])
          orphans.add(`builder-k8s/namespace cleanup-org1/${kind}/hlfcc-old-${index}`);
      }
      for (const index of range(20)) {
        objects.push(...served(`cc-old-${index}`, old, ours("org1")));
        for (const kind of ["Deployment", "Service"])
          orphans.add(`service/namespace cleanup-org1/${kind}/cc-old-${index}`);
      }
      for (const index of range(5)) {
        objects.push(built("Job", `hlfcc-late-${index}`, old, "org2", peerOf("org2")));
        later.add(`builder-k8s/namespace cleanup-org2/Job/hlfcc-late-${index}`);
        objects.push(...served(`cc-late-${index}`, old, {}));
        for (const kind of ["Deployment", "Service"])
          later.add(`service/namespace cleanup-org1/${kind}/cc-late-${index}`);
        objects.push(built("Job", `hlfcc-live-${index}`, running, "org1", peerOf("org1")));
        objects.push(built("Secret", `hlfcc-live-${index}`, running, "org1", peerOf("org1")));
        objects.push(built("Job", `hlfcc-other-${index}`, old, "org1", "peer9.elsewhere"));
        objects.push(...served(`cc-live-${index}`, running, ours("org1")));
      }
      objects.push({
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "web", namespace: namespaceOf("org1") },
        spec: { ports: [{ port: 80 }] },
      });
      await kubectl.apply(...objects);

      host = await startDocker();
      const [node = ""] = lines(await kubectl(["get", "nodes", "-o", "name"])).map((name) => name.replace("node/", ""));
      const [some = ""] = lines(await host.docker("images", "--format", "{{.Repository}}:{{.Tag}}"));
      for (const index of range(15)) {
        const name = containerNameOf(owner("org1"), index === 0 ? running : gone(index));
        await host.docker("create", "--name", name, some, "true");
        orphans.add(`host-docker/node ${node}/container/${name}`);
        const tag = imageNameOf(owner("org2"), gone(index));
        await host.docker("tag", some, tag);
        // Org2's peer does not answer at first; that its chaincode is not here any more is known all the same.
        orphans.add(`host-docker/node ${node}/image/${tag}:latest`);
      }
      for (const index of range(5)) {
        await host.docker("create", "--name", `registry-${index}`, some, "true");
        await host.docker(
          "create",
          "--name",
          containerNameOf({ networkId: "dev", peerId: "p" }, gone(index)),
          some,
          "true",
        );
      }
    });

    afterAll(async () => {
      await host?.stop();
    });

    const everything = () =>
      `--older-than 0s --source dind,builder-k8s,service,host-docker --node-namespace ${namespaceOf("org1")} --node-socket ${host.endpoint.replace("unix://", "")}`.split(
        " ",
      );
    const nodePods = async () =>
      lines(await kubectl(["get", "pods", "-A", "-l", "app.kubernetes.io/component=cleanup", "-o", "name"]));
    const live = async () => ({
      sidecar: lines(await inSidecar("org1", "docker images --format '{{.Repository}}:{{.Tag}}'; docker ps -q")).filter(
        (name) => !orphans.has(`dind/cleanup-org1/peer0-0/image/${name}`),
      ),
      sidecar2: lines(await inSidecar("org2", "docker images -q; docker ps -aq")),
      objects: lines(
        await kubectl([
          "-n",
          namespaceOf("org1"),
          "get",
          "jobs,secrets,deployments,services,configmaps,pods",
          "-o",
          "name",
        ]),
      ).filter((name) => !/-old-/.test(name)),
      host: lines(await host.docker("ps", "-a", "--format", "{{.Names}}")).filter((name) => !name.includes("org1")),
    });

    test("is as large as it says", () => {
      expect(orphans.size).toBe(200);
    });

    test("is tidied as far as can be proved while a peer does not answer, and nothing else is touched", async () => {
      const [peer] = listProcesses().filter(
        ({ pid, argv }) => argv.join(" ").includes("node start") && belongsTo(pid, "org2"),
      );
      if (!peer) throw new Error("expected the process of org2's peer");
      const before = await live();
      process.kill(peer.pid, "SIGSTOP");
      try {
        const found = await cleanup("--yes", ...everything());
        expect(found.code).toBe(3);
        expect(found.notLookedAt).toMatchObject([
          { place: peerOf("org2"), because: expect.stringMatching(/cannot be asked/) },
        ]);
        expect(keys(found.orphans)).toEqual([...orphans].toSorted((one, other) => (one < other ? -1 : 1)));
        expect(found.removed?.changed).toBe(orphans.size);
        const kept = new Set(keys(found.kept));
        for (const one of later) expect(kept).toContain(one);
      } finally {
        process.kill(peer.pid, "SIGCONT");
      }
      expect(await live()).toEqual(before);
      expect(await nodePods()).toEqual([]);
      // To the end, when the peer answers again.
      await expect.poll(() => readAsset("org2"), { timeout: 90_000 }).toMatchObject({ code: 0 });
      const found = await cleanup("--yes", ...everything());
      expect(found.notLookedAt).toEqual([]);
      expect(keys(found.orphans)).toEqual([...later].toSorted((one, other) => (one < other ? -1 : 1)));
      const after = await cleanup(...everything());
      expect(after.orphans).toEqual([]);
      expect(after.needed).toBeGreaterThanOrEqual(22);
      expect(JSON.parse(await pluginOutput(["query", "asset", "ReadAsset", "a1", "-C", "mychannel"]))).toMatchObject({
        id: "a1",
      });
    });

    test("Ctrl-C leaves no Pod on any node", async () => {
      const { child, ended } = startPlugin(["cleanup", ...everything()]);
      await expect.poll(nodePods, { timeout: 30_000, interval: 100 }).not.toEqual([]);
      child.kill("SIGINT");
      expect((await ended).code).toBe(130);
      await expect.poll(nodePods, { timeout: 10_000 }).toEqual([]);
    });
  });

  test("a schedule cleans up with rights of its own, and no others", async () => {
    await pluginOutput(["cleanup", "schedule", "--org", "org1", "--older-than", "0s"]);
    const can = async (...args: string[]) =>
      (
        await kubectl([
          "auth",
          "can-i",
          ...args,
          "--as",
          `system:serviceaccount:${namespaceOf("org1")}:fabric-cleanup`,
        ]).catch((error: unknown) => String(error))
      ).includes("yes");
    expect(await can("get", "secret/admin-identity", "-n", namespaceOf("org1"))).toBe(true);
    expect(await can("get", "secret/certificate-authorities", "-n", namespaceOf("org1"))).toBe(false);
    expect(await can("list", "secrets", "-n", namespaceOf("org1"))).toBe(false);
    expect(await can("list", "pods", "-n", namespaceOf("org2"))).toBe(false);
    const name = imageNameOf(owner("org1"), `gone:${"0".repeat(64)}`);
    const [image = ""] = await chaincodeImages("org1");
    await inSidecar("org1", `docker tag ${image} ${name}`);
    await kubectl(["-n", namespaceOf("org1"), "create", "job", "--from=cronjob/fabric-cleanup", "now"]);
    await kubectl(["-n", namespaceOf("org1"), "wait", "--for=condition=complete", "job/now", "--timeout=90s"]).catch(
      async (error: unknown) => {
        throw new Error(await kubectl(["-n", namespaceOf("org1"), "logs", "job/now"]), { cause: error });
      },
    );
    expect(await chaincodeImages("org1")).toEqual([image]);
    expect((await pluginJson(["cleanup", "unschedule"])).changed).toBe(1);
    expect(
      lines(await kubectl(["-n", namespaceOf("org1"), "get", "cronjobs,roles,rolebindings", "-o", "name"])),
    ).toEqual([]);
  });

  test("no process of any chaincode is left after down", async () => {
    const inPods = await Promise.all(
      organizations.map((organization) => processesOf(kubectl, namespaceOf(organization), "peer0-0")),
    );
    for (const inPod of inPods) expect(inPod().filter(isChaincode)).not.toEqual([]);
    await pluginOutput(["down", "--yes"]);
    for (const inPod of inPods) expect(inPod()).toEqual([]);
  });
});

/** By the environment that the Pod gives its peer. */
function belongsTo(pid: number, organization: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").includes(`CORE_PEER_ID=peer0.${namespaceOf(organization)}\0`);
  } catch {
    return false; // it has ended meanwhile
  }
}
