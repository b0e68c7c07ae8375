// Several packages on their way to one daemon: what they have in common goes there once.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newSeedings, type Provision } from "../../../core/chaincode/seed/seeding.ts";
import { inspectImage } from "../../../core/docker/images.ts";
import { packChaincode, type ChaincodePackage } from "../../../core/fabric/package/chaincode-package.ts";
import { dockerPeer, localDaemon, type Traffic } from "../../contract/docker-peer.ts";
import { noDocker, startDocker, type DockerDaemon } from "../../contract/docker.ts";

const { signal } = new AbortController();
const base = "hyperledger/fabric-nodeenv:2.5";

describe.skipIf(noDocker !== undefined)("images for a daemon that has none", () => {
  let daemons: readonly [DockerDaemon, DockerDaemon];
  const traffic: Traffic = { bytes: 0 };
  let baseBytes: number;

  // Docker and its image are built the first time.
  beforeAll(async () => {
    daemons = await Promise.all([startDocker(), startDocker()]);
    const [having, lacking] = daemons;
    await lacking.docker("image", "prune", "--all", "--force");
    expect(await lacking.docker("images", "--quiet")).toBe("");
    const { engine } = localDaemon(having, { bytes: 0 });
    baseBytes = (await inspectImage(engine, base, signal))?.Size ?? 0;
  }, 900_000);

  afterAll(async () => {
    await Promise.all((daemons ?? []).map((daemon) => daemon.stop()));
  });

  /** Node chaincode that has all it needs: none. */
  const packageOf = (label: string): Promise<ChaincodePackage> =>
    packChaincode({ path: "", type: "node", label }, [
      { name: "src/package.json", content: Buffer.from(JSON.stringify({ name: label, version: "1.0.0" })) },
      { name: "src/index.js", content: Buffer.from(`// ${label}`) },
    ]);

  test("of several packages at once bring the base that they share once, and are all there", async () => {
    const [having, lacking] = daemons;
    const peers = [dockerPeer("peer0", "peer0", having), dockerPeer("peer1", "peer1", lacking, traffic)] as const;
    const seedings = newSeedings(peers);
    const packages = await Promise.all(["one", "two", "three"].map(packageOf));
    try {
      const progress: string[] = [];
      const context = { signal, progress: (text: string) => void progress.push(text) };
      const provisions: readonly Provision[] = await Promise.all(
        packages.map((pkg) => seedings.of({ id: pkg.id, load: () => Promise.resolve(pkg) }).provide(peers[1], context)),
      );
      expect(provisions.map(({ how }) => how)).toEqual(["composed", "composed", "composed"]);
      const sizes = provisions.map((provision) => ("bytes" in provision ? provision.bytes : 0));
      const small = 100_000; // bytes: a layer of two files, a configuration, a manifest
      expect(sizes.filter((bytes) => bytes > small)).toHaveLength(1);
      const [whole = 0] = sizes.toSorted((one, other) => other - one);
      // Compressed on the way.
      expect(whole).toBeLessThan(baseBytes);
      expect(traffic.bytes).toBeLessThan(1.5 * whole);
      expect(progress).toContain("waits for another image");
    } finally {
      await seedings.close();
    }
    const names = (await lacking.docker("images", "--format", "{{.Repository}}")).split("\n");
    for (const label of ["one", "two", "three"]) {
      expect(names.filter((name) => name.startsWith(`dev-peer1-${label}-`))).toHaveLength(1);
    }
  });
});
