// The API server goes in the middle of each command that changes something, and comes back: the same run comes to its end.
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { newKubectl } from "../../sandbox/kubectl.ts";
import { loadImage, newest } from "../fabrics.ts";
import { newTestNetwork, type TestNetwork } from "../test-network.ts";
import { restartApiServer } from "./api-server.ts";

const { kubeconfig, binDir, sandbox } = inject("cluster");
const kubectl = newKubectl(binDir, kubeconfig);
const chaincode = join(import.meta.dirname, "../../chaincode/asset-transfer");
/** Longer than a few tries at once take. */
const AWAY_MS = 10_000;

let network: TestNetwork;

beforeAll(async () => {
  network = await newTestNetwork("outage", { tag: newest.tag });
  await network.plugin.output(["webhook", "install"]);
});

afterAll(async () => {
  await network.remove();
  await network.plugin.output(["webhook", "uninstall", "--yes"]);
});

/** Runs a command, and restarts the API server as soon as so many of its steps have ended. */
async function survives(steps: number, args: readonly string[]): Promise<void> {
  const { child, ended } = network.plugin.start([...args, "--verbose"]);
  let text = "";
  const begun = new Promise<void>((resolve) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if ((text.match(/^ {2}[✓=]/gm) ?? []).length >= steps) resolve();
    });
  });
  await Promise.race([begun, ended]);
  expect({ args, ended: child.exitCode }).toEqual({ args, ended: null });
  const [{ code, stderr }] = await Promise.all([ended, restartApiServer(kubectl, AWAY_MS)]);
  expect({ args, code, stderr: code === 0 ? "" : stderr }).toEqual({ args, code: 0, stderr: "" });
  expect(stderr).toMatch(/waits for it|tries again/);
}

test.skipIf(!sandbox)(
  `init, join, deploy-cc and cleanup on Fabric ${newest.version} go on when the API server is back`,
  { timeout: 600_000 },
  async () => {
    const { plugin, init, namespaceOf } = network;
    await survives(6, init);
    expect(await plugin.json(init)).toMatchObject({ changed: 0 });
    const join_ = ["join", "mychannel"];
    await survives(2, join_);
    expect(await plugin.json(join_)).toMatchObject({ changed: 0 });
    const deploy = ["deploy-cc", "asset", "--path", chaincode, "-C", "mychannel", ...loadImage];
    await survives(2, deploy);
    expect(await plugin.json(deploy)).toMatchObject({ changed: 0 });
    await plugin.output(["invoke", "asset", "CreateAsset", "a1", "tom", "100", "-C", "mychannel"]);

    // Images of packages that nobody has.
    const orphan = (index: number) => `outage-peer0.outage-org1-asset_0-${String(index).repeat(64)}`;
    const script = `image=$(docker images --quiet | head -n 1); for name in ${[1, 2, 3].map(orphan).join(" ")}; do docker tag $image $name; done`;
    await kubectl(["-n", namespaceOf("org1"), "exec", "-i", "peer0-0", "-c", "kubectl-fabric-dind", "--", "sh", "-e"], {
      input: script,
    });
    const cleanup = ["cleanup", "--older-than", "0s"];
    expect((await plugin.json<{ orphans: object[] }>(cleanup)).orphans).toHaveLength(3);
    await survives(1, [...cleanup, "--yes"]);
    expect((await plugin.json<{ orphans: object[] }>(cleanup)).orphans).toEqual([]);
    expect(await plugin.output(["query", "asset", "ReadAsset", "a1", "-C", "mychannel"])).toContain("tom");
  },
);
