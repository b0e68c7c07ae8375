// Chaincode without privilege, on a cluster: namespaces that enforce Pod Security "restricted", from the first command to the last.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { newKubectl } from "../sandbox/kubectl.ts";
import type { Process } from "../sandbox/processes.ts";
import type { DoctorReport } from "../../core/doctor/examine.ts";
import { fabrics } from "./fabrics.ts";
import { processesOf as processesIn, textOf } from "./pod-processes.ts";
import { newTestNetwork } from "./test-network.ts";

const { kubeconfig, binDir, sandbox, nodeImage } = inject("cluster");
const kubectl = newKubectl(binDir, kubeconfig);
const chaincode = join(import.meta.dirname, "../chaincode/asset-transfer");
/** The sandbox's runner has Go where this machine has it (test/sandbox/images/catalogue.ts). */
const noGo = existsSync("/usr/local/go/bin/go") ? undefined : "expected /usr/local/go";
const sidecar = "kubectl-fabric-dind";
const processesOf = (namespace: string, container?: string) => processesIn(kubectl, namespace, "peer0-0", container);
const patience = { timeout: 60_000, interval: 300 };

interface Pod {
  readonly metadata: { readonly uid: string };
  readonly status: Record<
    "containerStatuses" | "initContainerStatuses",
    readonly { readonly name: string; readonly containerID: string; readonly restartCount: number }[]
  >;
}
const podOf = async (namespace: string) =>
  JSON.parse(await kubectl(["-n", namespace, "get", "pod", "peer0-0", "-o", "json"])) as Pod;

const isChaincode = ({ argv }: Process): boolean => argv[0] === "node" && argv.includes("--peer.address");
/** As dockercontroller.go, GetArgs. */
const isGoChaincode = ({ argv }: Process): boolean =>
  argv[0] === "chaincode" && (argv[1] ?? "").startsWith("-peer.address=");
const isRunner = ({ argv }: Process): boolean => argv.includes("/opt/runner/runner.cjs");
const only = (found: readonly Process[]): Process => {
  expect(found.map(({ argv }) => argv.join(" "))).toHaveLength(1);
  return found[0] as Process;
};

/** Go chaincode with its modules beside it: there is no network in the sandbox. */
let vendored = "";

beforeAll(async () => {
  if (noGo === undefined) {
    vendored = mkdtempSync(join(tmpdir(), "counter-"));
    cpSync(join(import.meta.dirname, "../chaincode/counter"), vendored, { recursive: true });
    execFileSync("/usr/local/go/bin/go", ["mod", "vendor"], { cwd: vendored, stdio: "inherit" });
  }
});

afterAll(async () => {
  if (vendored !== "") rmSync(vendored, { recursive: true, force: true });
});

describe.each(fabrics)("a network of Fabric $version without privilege", async ({ version, tag }) => {
  const network = await newTestNetwork("runner", { tag, profile: "restricted" });
  const { json: pluginJson, output: pluginOutput, run: runPlugin } = network.plugin;
  const org1 = network.namespaceOf("org1");
  const read = ["query", "asset", "ReadAsset", "a1", "-C", "mychannel", "--org", "org1"];
  const owner = async (): Promise<unknown> =>
    (JSON.parse(await pluginOutput(read)) as { readonly owner: string }).owner;
  /** What the runner has told its log since its container started. */
  const logOf = (namespace: string) => kubectl(["-n", namespace, "logs", "peer0-0", "-c", sidecar]);
  const log = () => logOf(org1);
  const buildsOf = async (namespace: string) =>
    [...(await logOf(namespace)).matchAll(/"message":"started","kind":"build"/g)].length;
  const builds = () => buildsOf(org1);
  /** One of them builds for all: which is open. */
  const buildsOfAll = async () => (await builds()) + (await buildsOf(network.namespaceOf("org2")));

  const deploy = ["deploy-cc", "asset", "--path", chaincode, "-C", "mychannel"];
  const commands = [network.init, ["join", "mychannel"], deploy] as const;

  const changes: number[] = [];

  beforeAll(async () => {
    for (const command of commands) changes.push((await pluginJson(command)).changed);
    await pluginOutput(["invoke", "asset", "CreateAsset", "a1", "tom", "100", "-C", "mychannel"]);
  });

  afterAll(async () => {
    await network.remove();
  });

  test("four commands lead to a transaction", async () => {
    expect(changes).toHaveLength(commands.length);
    for (const changed of changes) expect(changed).toBeGreaterThan(0);
    expect(await owner()).toBe("tom");
    for (const command of commands) expect(await pluginJson(command)).toMatchObject({ changed: 0, wouldChange: 0 });
  });

  test("its namespaces enforce Pod Security restricted: a privileged Pod is refused there", async () => {
    const privileged = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "privileged", namespace: org1 },
      spec: { containers: [{ name: "main", image: nodeImage, securityContext: { privileged: true } }] },
    };
    await expect(kubectl.apply(privileged)).rejects.toThrow(/violates PodSecurity "restricted:latest": privileged/);
    const docker = { inject: "true", profile: "privileged", "peer-container": "main" };
    const annotations = Object.fromEntries(
      Object.entries(docker).map(([name, value]) => [`kubectl-fabric.io/${name}`, value]),
    );
    const { spec } = privileged;
    const injected = { ...privileged, metadata: { ...privileged.metadata, annotations }, spec };
    await expect(kubectl.apply(injected)).rejects.toThrow(/enforces Pod Security "restricted", which refuses Docker/);
  });

  test("doctor knows what each namespace can have: the API server says so, and creates nothing", async () => {
    const { code, stdout, stderr } = await runPlugin(["doctor", "-n", `${org1},default`, "-o", "json"]);
    const report = JSON.parse(stdout) as DoctorReport;
    expect([code, stderr, report.findings.filter(({ level }) => level === "problem")]).toEqual([0, "", []]);
    const [restricted, ordinary] = report.namespaces;
    const verdict = (of: typeof restricted, name: string) => of?.profiles.find(({ profile }) => profile === name);
    expect(restricted).toMatchObject({ name: org1, recommended: "restricted" });
    expect(verdict(restricted, "restricted")).toEqual({ profile: "restricted", allowed: true, possible: "yes" });
    const because = expect.stringMatching(/violates PodSecurity "restricted:latest": privileged/) as string;
    expect(verdict(restricted, "privileged")).toMatchObject({ possible: "no", because });
    expect(ordinary).toMatchObject({ name: "default", recommended: "privileged" });
    expect(verdict(ordinary, "privileged")).toEqual({ profile: "privileged", allowed: true, possible: "yes" });
    expect(await kubectl(["get", "pods", "-A", "-o", "name"])).not.toContain("kubectl-fabric-doctor");
  });

  test.skipIf(!sandbox)(
    "no process of the peer's Pod is root or has a capability, and chaincode is one of them",
    async () => {
      const found = (await processesOf(org1))();
      expect(found.filter(isChaincode)).toHaveLength(1);
      expect(found.filter(isRunner)).toHaveLength(1);
      expect(found.filter(({ argv }) => /dockerd|containerd/.test(argv[0] ?? ""))).toEqual([]);
      for (const { pid, argv } of found) {
        const status = textOf(`/proc/${pid}/status`);
        const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1]?.trim();
        const said = [field("Uid")?.split(/\s+/)[0] === "0", field("CapEff"), field("CapBnd"), field("NoNewPrivs")];
        // The sandbox's own pause container is none of the Pod's.
        expect([argv[0], ...said]).toEqual([argv[0], false, "0000000000000000", "0000000000000000", "1"]);
        expect(field("Seccomp")).toBe("2"); // a filter
      }
      const { argv } = only(found.filter(isChaincode));
      expect(argv[argv.indexOf("--peer.address") + 1]).toBe("localhost:7052");
    },
  );

  test.skipIf(!sandbox)("chaincode that is killed is started again by the next call", async () => {
    const inSidecar = await processesOf(org1, sidecar);
    const before = only(inSidecar().filter(isChaincode));
    process.kill(before.pid, "SIGKILL");
    await expect.poll(() => inSidecar().some(({ pid }) => pid === before.pid), patience).toBe(false);
    await expect.poll(() => owner().catch(() => undefined), patience).toBe("tom");
    expect(only(inSidecar().filter(isChaincode)).pid).not.toBe(before.pid);
  });

  test.skipIf(!sandbox)(
    "a runner that is killed takes its chaincode with it, and comes back with what it has built",
    async () => {
      const before = await processesOf(org1, sidecar);
      process.kill(only(before().filter(isRunner)).pid, "SIGKILL");
      await expect.poll(() => before(), patience).toEqual([]);
      await expect
        .poll(async () => {
          const { status } = await podOf(org1);
          return status.initContainerStatuses.find(({ name }) => name === sidecar)?.restartCount;
        }, patience)
        .toBe(1);
      await expect.poll(() => owner().catch(() => undefined), patience).toBe("tom");
      const after = await processesOf(org1, sidecar);
      expect(after().filter(isChaincode)).toHaveLength(1);
      expect(await log()).toMatch(/"message":"listening"[^\n]*"images":1/);
      expect(await builds()).toBe(0);
    },
  );

  test.skipIf(!sandbox)(
    "the next sequence runs beside the first until that is cleaned up; logs, seed and cleanup know the runner",
    async () => {
      const upgraded = [...deploy, "--label", "asset-v2"];
      expect((await pluginJson(upgraded)).changed).toBeGreaterThan(0);
      expect(await pluginOutput(["status"])).toMatch(/asset 2 \(sequence 2\)/);
      expect(await owner()).toBe("tom");
      expect(await pluginJson(upgraded)).toMatchObject({ changed: 0 });
      expect(await pluginJson(["chaincode", "seed"])).toMatchObject({ changed: 0 });
      expect(await pluginOutput(["chaincode", "logs", "asset", "--peer", `peer0.${org1}`])).toMatch(
        /start:server|chaincode/,
      );
      const inSidecar = await processesOf(org1, sidecar);
      const { removed } = await pluginJson<{ removed: { changed: number } }>(["cleanup", "--yes"]);
      expect(removed.changed).toBeGreaterThan(0);
      expect(inSidecar().filter(isChaincode)).toHaveLength(1);
      expect(await pluginJson(["cleanup", "--yes"])).toMatchObject({ orphans: [], notLookedAt: [] });
      expect(await owner()).toBe("tom");
    },
  );

  // Compiling Go and its library takes two minutes of a processor: on one real network. That the runner builds Go is shown by
  // test/contract/languages.test.ts on every machine.
  const skipped = !sandbox || noGo !== undefined || version === "emulator" || version !== fabrics[0]?.version;
  test.skipIf(skipped)("chaincode in Go, which the peer builds there, runs beside the one in JavaScript", async () => {
    const before = await buildsOfAll();
    const inSidecar = await processesOf(org1, sidecar);
    const deployed = ["deploy-cc", "counter", "--path", vendored, "-C", "mychannel"];
    expect((await pluginJson(deployed)).changed).toBeGreaterThan(0);
    expect(await buildsOfAll()).toBeGreaterThan(before);
    for (const expected of ["1", "2"]) {
      await pluginOutput(["invoke", "counter", "Add", "-C", "mychannel"]);
      const found = await pluginOutput(["query", "counter", "Get", "-C", "mychannel", "--org", "org1"]);
      expect(found.trim()).toBe(expected);
    }
    expect(await owner()).toBe("tom");
    for (const is of [isGoChaincode, isChaincode]) expect(inSidecar().filter(is)).toHaveLength(1);
    expect(await pluginJson(deployed)).toMatchObject({ changed: 0 });
  });

  test.skipIf(!sandbox)("a deleted Pod leaves no process, and the next one has its images", async () => {
    const old = await processesOf(org1);
    const { uid } = (await podOf(org1)).metadata;
    expect(old().length).toBeGreaterThan(2);
    await kubectl(["-n", org1, "delete", "pod", "peer0-0", "--wait=true"]);
    expect(old()).toEqual([]);
    await kubectl(["-n", org1, "rollout", "status", "statefulset/peer0", "--timeout=120s"]);
    expect((await podOf(org1)).metadata.uid).not.toBe(uid);
    await expect.poll(() => owner().catch(() => undefined), patience).toBe("tom");
    // A peer builds again, when it starts, what it has installed and cleanup has removed: the first sequence's package.
    expect(await log()).not.toMatch(/"message":"built","image":"[^"]*asset-v2/);
  });

  test.skipIf(!sandbox)("down leaves no process", async () => {
    const processes = await processesOf(org1);
    expect((await pluginJson(["down", "--yes"])).changed).toBe(3);
    expect(processes()).toEqual([]);
  });
});
