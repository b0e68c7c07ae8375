// The API server goes in the middle of each command that changes something, and comes back: the same run comes to its end.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { imageNameOf } from "../../../core/fabric/chaincode/chaincode-container.ts";
import { newKubectl } from "../../sandbox/kubectl.ts";
import { loadImage, newest } from "../fabrics.ts";
import { newPlugin, type Plugin } from "../plugin-process.ts";
import { newTestNetwork, type TestNetwork } from "../test-network.ts";
import { startAnew, startApiServer, stopApiServer } from "./api-server.ts";

const { kubeconfig, binDir, sandbox } = inject("cluster");
const kubectl = newKubectl(binDir, kubeconfig);
const chaincode = join(import.meta.dirname, "../../chaincode/asset-transfer");
/** Longer than a few tries at once take. */
const awayMs = 10_000;

let network: TestNetwork;
let folder: string;
/** As somebody whom RBAC lets in: an administrator's certificate of the sandbox is past that. */
let plugin: Plugin;

beforeAll(async () => {
  network = await newTestNetwork("outage", { tag: newest.tag });
  await network.plugin.output(["webhook", "install"]);
  folder = await mkdtemp(join(tmpdir(), "outage-"));
  const file = join(folder, "kubeconfig");
  await kubectl(["-n", "default", "create", "serviceaccount", "outage"]);
  const role = ["--clusterrole=cluster-admin", "--serviceaccount=default:outage"];
  await kubectl(["create", "clusterrolebinding", "outage", ...role]);
  const token = (await kubectl(["-n", "default", "create", "token", "outage", "--duration=1h"])).trim();
  await writeFile(file, await kubectl(["config", "view", "--raw", "--flatten", "--minify"]), { mode: 0o600 });
  const named = newKubectl(binDir, file);
  await named(["config", "set-credentials", "outage", `--token=${token}`]);
  await named(["config", "set-context", "--current", "--user=outage"]);
  expect(await named(["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"])).toContain("default:outage");
  plugin = newPlugin("--network", "outage", "--kubeconfig", file);
});

afterAll(async () => {
  if (sandbox) await startAnew("kubelet"); // which ends Pods when it hears of it
  await network.remove();
  await network.plugin.output(["webhook", "uninstall", "--yes"]);
  await kubectl(["delete", "clusterrolebinding/outage"]);
  await kubectl(["-n", "default", "delete", "serviceaccount/outage"]);
  await rm(folder, { recursive: true, force: true });
});

/** Runs a command, and takes the API server away from it as soon as so many of its steps have ended: until then it is held. */
async function survives(steps: number, args: readonly string[]): Promise<void> {
  const { child, ended } = plugin.start([...args, "--verbose"]);
  const begun = new Promise<void>((resolve) => {
    let text = "";
    const count = (chunk: Buffer) => {
      text += chunk.toString();
      if ((text.match(/^ {2}[✓=]/gm) ?? []).length < steps) return;
      child.stderr?.off("data", count);
      child.kill("SIGSTOP");
      resolve();
    };
    child.stderr?.on("data", count);
  });
  await Promise.race([begun, ended]);
  expect({ args, ended: child.exitCode }).toEqual({ args, ended: null });
  await stopApiServer("SIGKILL");
  child.kill("SIGCONT");
  const [{ code, stderr }] = await Promise.all([ended, startApiServer(kubectl, awayMs)]);
  expect({ args, code, stderr: code === 0 ? "" : stderr }).toEqual({ args, code: 0, stderr: "" });
  expect(stderr).toMatch(/waits for it|tries again/);
}

test.skipIf(!sandbox)(
  `init, join, deploy-cc and cleanup on Fabric ${newest.version} go on when the API server is back`,
  { timeout: 600_000 },
  async () => {
    const { init, namespaceOf } = network;
    await survives(6, init);
    expect(await plugin.json(init)).toMatchObject({ changed: 0 });
    const toJoin = ["join", "mychannel"];
    await survives(2, toJoin);
    expect(await plugin.json(toJoin)).toMatchObject({ changed: 0 });
    const deploy = ["deploy-cc", "asset", "--path", chaincode, "-C", "mychannel", ...loadImage];
    await survives(2, deploy);
    expect(await plugin.json(deploy)).toMatchObject({ changed: 0 });
    await plugin.output(["invoke", "asset", "CreateAsset", "a1", "tom", "100", "-C", "mychannel"]);

    // Images of packages that nobody has.
    const owner = { networkId: "outage", peerId: `peer0.${namespaceOf("org1")}` };
    const orphans = Array.from({ length: 30 }, (_, index) =>
      imageNameOf(owner, `asset_0:${String(index + 10).repeat(32)}`),
    );
    const script = `image=$(docker images --quiet | head -n 1); for name in ${orphans.join(" ")}; do docker tag $image $name; done`;
    await kubectl(["-n", namespaceOf("org1"), "exec", "-i", "peer0-0", "-c", "kubectl-fabric-dind", "--", "sh", "-e"], {
      input: script,
    });
    const cleanup = ["cleanup", "--older-than", "0s"];
    const left = async () => (await plugin.json<{ orphans: object[] }>(cleanup)).orphans.length;
    expect(await left()).toBe(orphans.length);
    await survives(1, [...cleanup, "--yes"]);
    expect(await left()).toBe(0);
    expect(await plugin.output(["query", "asset", "ReadAsset", "a1", "-C", "mychannel"])).toContain("tom");
  },
);
