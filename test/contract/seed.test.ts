import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findImage } from "../../core/chaincode/image/given-image.ts";
import { newSeeding, type Seeding } from "../../core/chaincode/seed/seeding.ts";
import type { SeedPeer } from "../../core/chaincode/image/seed-peer.ts";
import { chaincodeImageName } from "../../core/fabric/chaincode/chaincode-image.ts";
import { chaincodeFiles, packChaincode, type ChaincodePackage } from "../../core/fabric/package/chaincode-package.ts";
import { deployPackage, install, joinAll } from "../integration/emulator/network/actions.ts";
import { propose } from "../integration/emulator/network/client.ts";
import { channelId, type Network, type PeerNode } from "../integration/emulator/network/network.ts";
import { compareAnswers } from "./answers/recording.ts";
import { assetTransfer } from "./chaincode.ts";
import { columns, startColumn } from "./column.ts";
import { dockerPeer, type Traffic } from "./docker-peer.ts";
import { noDocker, startDocker, type DockerDaemon } from "./docker.ts";

const context = { signal: new AbortController().signal, progress: () => {} };

interface Inspected {
  readonly Id: string;
  readonly Config: object;
  readonly RootFS: { readonly Layers: readonly string[] };
}

/** Two peers, each with a daemon of its own, which knows the image that Node chaincode is built with. */
interface Place {
  readonly node: PeerNode;
  readonly daemon: DockerDaemon;
  readonly peer: SeedPeer;
  readonly traffic: Traffic;
}

describe.each(columns)("$name", (column) => {
  const missing = column.missing ?? noDocker;
  let network: Network;
  let daemons: readonly DockerDaemon[] = [];
  let first: Place;
  let second: Place;
  let complete: ChaincodePackage;
  let toBuild: ChaincodePackage;
  let builtByPeer: ChaincodePackage;
  const seedings: Seeding[] = [];

  compareAnswers(column, () => network);

  beforeAll(async () => {
    if (missing !== undefined) return;
    daemons = await Promise.all([startDocker(), startDocker()]);
    const ids = ["peer0.Org1MSP", "peer0.Org2MSP"];
    network = await startColumn(
      column,
      "docker",
      { CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE: "host" },
      ["Org1MSP", "Org2MSP"],
      (id) => ({ CORE_VM_ENDPOINT: daemons[ids.indexOf(id)]?.endpoint ?? "" }),
    );
    [first, second] = network.peers.map((node, index) => {
      const daemon = daemons[index] as DockerDaemon;
      const traffic = { bytes: 0 };
      return { node, daemon, traffic, peer: dockerPeer(`peer${index}`, ids[index] ?? "", daemon, traffic) };
    }) as [Place, Place];
    await joinAll(network);
    complete = await assetTransfer("complete_1.0");
    // A script that has to run is what a build is for.
    const files = (await chaincodeFiles(complete)).map((file) => {
      if (file.name !== "src/package.json") return file;
      const json = JSON.parse(Buffer.from(file.content).toString()) as { readonly scripts: object };
      const scripts = { ...json.scripts, prepare: "node --version" };
      return { ...file, content: Buffer.from(JSON.stringify({ ...json, scripts })) };
    });
    toBuild = await packChaincode({ ...complete.metadata, label: "tobuild_1.0" }, files);
    builtByPeer = await packChaincode({ ...complete.metadata, label: "bypeer_1.0" }, files);
  });

  afterAll(async () => {
    await Promise.all(seedings.map((seeding) => seeding.close()));
    await network?.stop();
    await Promise.all(daemons.map((daemon) => daemon.stop()));
  });

  const seedingOf = (pkg: ChaincodePackage): Seeding => {
    const seeding = newSeeding({ id: pkg.id, load: () => Promise.resolve(pkg) }, [first.peer, second.peer]);
    seedings.push(seeding);
    return seeding;
  };
  const installed = async ({ node }: Place, pkg: ChaincodePackage): Promise<void> => {
    const answer = await install(node, pkg.bytes);
    if (answer.getStatus() !== 200) throw new Error(answer.getMessage());
  };
  const image = async ({ daemon, peer }: Place, pkg: ChaincodePackage): Promise<Inspected> => {
    const name = chaincodeImageName(await peer.names(context.signal), pkg.id);
    const [found] = JSON.parse(await daemon.docker("image", "inspect", name)) as [Inspected];
    return found;
  };
  /** A build starts one container of the image that builds. */
  const builds = async ({ daemon }: Place): Promise<number> => {
    const now = await daemon.docker("info", "--format", "{{.SystemTime}}");
    const filters = ["--filter", "event=start", "--filter", "image=hyperledger/fabric-nodeenv:2.5"];
    const events = await daemon.docker("events", "--since", "0", "--until", now, ...filters);
    return events.split("\n").filter((line) => line !== "").length;
  };
  const list = async ({ node }: Place, chaincode: string): Promise<string> => {
    const answer = (await propose(node, { chaincode, channelId, args: ["ListAssets", "", ""] })).getResponse();
    return answer?.getMessage() || Buffer.from(answer?.getPayload_asU8() ?? []).toString();
  };

  describe.skipIf(missing)("images of chaincode", () => {
    test("are made of a package that has all it needs: nobody builds, and the peers run it", async () => {
      const seeding = seedingOf(complete);
      const never = () => Promise.reject(new Error("it was to be built"));
      const provisions = await Promise.all([first, second].map(({ peer }) => seeding.provide(peer, context, never)));
      expect(provisions).toEqual([
        { how: "composed", bytes: expect.any(Number) as number },
        { how: "composed", bytes: expect.any(Number) as number },
      ]);
      await deployPackage(network, { name: "complete", version: "1.0", sequence: 1 }, complete.bytes, complete.id);
      expect([await builds(first), await builds(second)]).toEqual([0, 0]);
      expect(await list(first, "complete")).toBe("[]");
      expect((await image(first, complete)).Id).toBe((await image(second, complete)).Id);
    });

    test("are built in one daemon otherwise, and go to the other without the layers that it has", async () => {
      const seeding = seedingOf(toBuild);
      const never = () => Promise.reject(new Error("the peer was to build it"));
      const provisions = await Promise.all([first, second].map(({ peer }) => seeding.provide(peer, context, never)));
      expect(provisions.map(({ how }) => how).sort()).toEqual(["copied", "prebuilt"]);
      await Promise.all([first, second].map((place) => installed(place, toBuild)));
      expect((await builds(first)) + (await builds(second))).toBe(1);
      expect((await image(first, toBuild)).Id).toBe((await image(second, toBuild)).Id);
      await seeding.close();
      const left = ["ps", "--all", "--quiet", "--filter", "ancestor=hyperledger/fabric-nodeenv:2.5", "--no-trunc"];
      const containers = await Promise.all(
        [first, second].map(({ daemon }) => daemon.docker(...left, "--format", "{{.Command}}")),
      );
      expect(containers.join("\n")).not.toContain("/chaincode/build.sh");
    });

    test("that are made or built are what the peer builds", async () => {
      await installed(first, builtByPeer);
      const [theirs, made, prebuilt] = await Promise.all(
        [builtByPeer, complete, toBuild].map((pkg) => image(first, pkg)),
      );
      const version = (config: object): string => JSON.stringify(config).replaceAll(/v?3\.1\.5/g, "X");
      // The emulator and older peers say other versions of themselves than this test's peers are told to have.
      const { version: own = "3.1.5" } = column.release ?? {};
      const expected = version(theirs?.Config ?? {}).replaceAll(new RegExp(`v?${own}`, "g"), "X");
      expect(version(made?.Config ?? {})).toBe(expected);
      expect(version(prebuilt?.Config ?? {})).toBe(expected);
      const [peers, composed, built] = await Promise.all(
        [builtByPeer, complete, toBuild].map((pkg) => sourcesIn(first, pkg)),
      );
      expect(built).toEqual(peers);
      const notPackageJson = (line: string): boolean => !line.endsWith(" package.json");
      expect(composed?.filter(notPackageJson)).toEqual(peers?.filter(notPackageJson));
      expect(composed?.length).toBeGreaterThan(2000);
    });

    /** Mode, owner and digest, or target, of every file below /usr/local/src: but not its time. */
    const sourcesIn = async ({ daemon, peer }: Place, pkg: ChaincodePackage): Promise<readonly string[]> => {
      const name = chaincodeImageName(await peer.names(context.signal), pkg.id);
      const script =
        "cd /usr/local/src && find . ! -type f -exec stat -c '%A %u:%g %N' {} + && find . -type f -exec stat -c '%A %u:%g %n' {} + && find . -type f -exec sha256sum {} +";
      const run = ["run", "--rm", "--network", "host", "--entrypoint", "/bin/sh", name, "-c", script];
      const lines = (await daemon.docker(...run)).split("\n");
      return lines.map((line) => line.replace(/\.\//, "")).sort();
    };

    test("move no more than what is missing", async () => {
      const seeding = seedingOf(toBuild);
      const name = chaincodeImageName(await second.peer.names(context.signal), toBuild.id);
      await second.daemon.docker("rmi", name);
      const before = second.traffic.bytes;
      const provision = await seeding.provide(second.peer, context);
      expect(provision).toMatchObject({ how: "copied", from: "peer0" });
      const [top = ""] = (await image(first, toBuild)).RootFS.Layers.slice(-1);
      expect(second.traffic.bytes - before).toBeLessThan(1.2 * (await layerSize(first, toBuild, top)));
    });

    test("whose build fails are built once, and the reason is told", async () => {
      // Without its dependencies, and without a registry.
      const files = (await chaincodeFiles(toBuild)).filter(({ name }) => !name.startsWith("src/node_modules/"));
      const broken = await packChaincode({ ...complete.metadata, label: "broken_1.0" }, files);
      const seeding = seedingOf(broken);
      const before = (await builds(first)) + (await builds(second));
      const never = () => Promise.reject(new Error("the peer was to build it"));
      const tried = [first, second].map(({ peer }) => seeding.provide(peer, context, never));
      const failures = (await Promise.allSettled(tried)).map((end) =>
        end.status === "rejected" ? String(end.reason) : "",
      );
      expect(failures.sort().join("\n")).toMatch(/the build ended with \d+:[^]*no network/);
      expect(failures.join("\n")).toMatch(/the build on peer[01] failed, and would here/);
      expect((await builds(first)) + (await builds(second))).toBe(before + 1);
    });

    test("that were built once are run by both", async () => {
      await deployPackage(network, { name: "tobuild", version: "1.0", sequence: 1 }, toBuild.bytes, toBuild.id);
      const before = [await builds(first), await builds(second)];
      expect([await list(first, "tobuild"), await list(second, "tobuild")]).toEqual(["[]", "[]"]);
      expect([await builds(first), await builds(second)]).toEqual(before);
    });

    test("of one's own are run by both, whoever has it, and nobody builds", async () => {
      const peers = [first.peer, second.peer];
      const source = seedingOf(complete);
      await source.provide(first.peer, context);
      const name = chaincodeImageName(await first.peer.names(context.signal), complete.id);
      await first.daemon.docker("tag", name, "example/own:1");
      const wanted = { reference: "example/own:1", label: "own_1.0" };
      const { pkg, image: own } = await findImage(peers, wanted, context.signal);
      expect(pkg.metadata.type).toBe("node");
      const seeding = newSeeding({ id: pkg.id, load: () => Promise.resolve(pkg), image: own }, peers);
      seedings.push(seeding);
      const before = [await builds(first), await builds(second)];
      const provisions = await Promise.all(peers.map((peer) => seeding.provide(peer, context)));
      expect(provisions).toEqual(
        [0, 1].map(() => ({ how: "copied", from: "peer0", bytes: expect.any(Number) as number })),
      );
      await deployPackage(network, { name: "own", version: "1.0", sequence: 1 }, pkg.bytes, pkg.id);
      expect(await list(first, "own")).toBe("[]");
      expect((await image(second, pkg)).Id).toBe((await image(first, complete)).Id);
      expect([await builds(first), await builds(second)]).toEqual(before);
    });

    const layerSize = async ({ daemon, peer }: Place, pkg: ChaincodePackage, diffId: string): Promise<number> => {
      const folder = await mkdtemp(join(tmpdir(), "seed-"));
      try {
        const name = chaincodeImageName(await peer.names(context.signal), pkg.id);
        await daemon.docker("save", "--output", join(folder, "image.tar"), name);
        const text = (await readFile(join(folder, "image.tar"))).toString("latin1");
        const size = new RegExp(`"size":(\\d+),"digest":"${diffId}"`).exec(text)?.[1];
        return Number(size ?? Number.NaN);
      } finally {
        await rm(folder, { recursive: true });
      }
    };
  });
});
