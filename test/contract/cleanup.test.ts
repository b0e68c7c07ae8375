import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { parse, stringify } from "yaml";
import { cleanupPlans } from "../../plugin/commands/cleanup/plans.ts";
import { FabricError, type ErrorCode } from "../../core/error.ts";
import { containerNameOf, imageNameOf } from "../../core/fabric/chaincode/chaincode-container.ts";
import { defaultEndorsementPolicyBytes } from "../../core/fabric/chaincode/chaincode-definition.ts";
import { packageChaincodeFolder } from "../../core/fabric/package/chaincode-source.ts";
import { isStateRace } from "../../core/fabric/node/gateway-error.ts";
import { openGateway } from "../../core/fabric/node/gateway.ts";
import {
  approveDefinition,
  commitDefinition,
  committedDefinition,
  installChaincode,
  installedChaincodes,
} from "../../core/fabric/chaincode/lifecycle.ts";
import type { NodeClient } from "../../core/fabric/node/node-client.ts";
import { connectNode } from "../../core/fabric/node/node-connection.ts";
import { openCleanup, type Cleanup, type CleanupRequest } from "../../core/orphans/cleanup.ts";
import { findingKey } from "../../core/orphans/judgement/finding.ts";
import { nodeAccessDefaults } from "../../core/orphans/places/node-pod.ts";
import { readFileIdentity } from "../../core/fabric/identity/file-identity.ts";
import { eachBounded } from "../../core/engine/bounded.ts";
import { eventually as untilItWorks } from "../../core/engine/eventually.ts";
import type { Outcome } from "../../core/engine/report.ts";
import { runToEnd } from "../run-to-end.ts";
import { joinAll } from "../integration/emulator/network/actions.ts";
import { channelId, eventually, type Network, type PeerNode } from "../integration/emulator/network/network.ts";
import type { ScriptedServer } from "../integration/core/kubernetes/api-server.ts";
import { assetFolder, assetTransfer } from "./chaincode.ts";
import { columns, startColumn } from "./column.ts";
import { noDocker, startDocker, type DockerDaemon } from "./docker.ts";
import { servePods } from "./pods.ts";
import { newStory } from "../story.ts";
import { wholeNumber } from "../whole-number.ts";

/** How often the chaincode is upgraded while peers are killed. */
const upgrades = wholeNumber("CLEANUP_UPGRADES") ?? 2;
/** Of these, those that the peers build themselves; the others find their images in the daemon, as after a seed. */
const builds = 1;
const { signal } = new AbortController();
/** Of which peers are killed, and when: printed, so that the same can be had again. */
const killSeed = wholeNumber("CLEANUP_SEED") ?? Date.now() | 0;
/** How far an upgrade is. */
const moments = ["install", "approve", "commit"] as const;
type Moment = (typeof moments)[number];
/** What a peer that dies makes of a call to it, or to another that needs it. */
const ofDying: readonly ErrorCode[] = ["connection", "not-ready"];

const definitionOf = (sequence: number) => ({
  name: "asset",
  version: String(sequence),
  sequence,
  endorsementPolicy: defaultEndorsementPolicyBytes(),
  collections: new Uint8Array(),
  initRequired: false,
});

describe.each(columns)("$name", (column) => {
  const missing = column.missing ?? noDocker;
  let network: Network;
  let daemon: DockerDaemon;
  let server: ScriptedServer;
  let folder: string;
  let reached: readonly NodeClient[];

  const test = newStory();

  beforeAll(async () => {
    if (missing !== undefined) return;
    await assetTransfer("asset");
    folder = await mkdtemp(join(tmpdir(), "contract-cleanup-"));
    await cp(assetFolder, folder, { recursive: true });
    daemon = await startDocker();
    network = await startColumn(column, "docker", {
      CORE_VM_ENDPOINT: daemon.endpoint,
      CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE: "host",
    });
    await joinAll(network);
    const socket = daemon.endpoint.replace("unix://", "");
    server = await servePods(network.peers.map((node, index) => ({ node, pod: `peer-${index}`, socket })));
    reached = await Promise.all(network.peers.map(reach));
  });

  afterAll(async () => {
    for (const { connection } of reached ?? []) connection.close();
    await server?.close();
    await network?.stop();
    await daemon?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const administratorOf = ({ mspId, adminMsp }: PeerNode["organization"]) =>
    readFileIdentity(mspId, adminMsp, { passphrases: () => [], now: new Date() });

  async function reach({ organization, address }: PeerNode): Promise<NodeClient> {
    const { identity, tlsRootCertificates } = await administratorOf(organization);
    const [host = "", port] = address.split(":");
    const connection = connectNode({ host, port: Number(port), serverName: "localhost", tlsRootCertificates });
    return { connection, identity };
  }

  async function packaged(number: number) {
    const file = join(folder, "package.json");
    const manifest = JSON.parse(await readFile(file, "utf8")) as object;
    await writeFile(file, JSON.stringify({ ...manifest, version: `1.0.${number}` }));
    return packageChaincodeFolder(folder, "asset");
  }

  /** An image of a package by the name that each peer will look for. */
  async function seed(packageId: string, peers = network.peers): Promise<void> {
    const [some = ""] = await images();
    for (const { organization } of peers) {
      const owner = { networkId: "dev", peerId: `peer0.${organization.mspId}` };
      await daemon.docker("tag", some, imageNameOf(owner, packageId));
    }
  }

  /** Until it works: peers die meanwhile, may not have met when they come back, and lack blocks. No other failure is one of these. */
  const insist = <T>(attempt: () => Promise<T>): Promise<T> => {
    const passing = (error: unknown): never => {
      const { message } = error as Error;
      // What one peer says of another that has just died.
      if (!isStateRace(error) && !message.includes("code = Unavailable")) throw error;
      throw new FabricError("not-ready", message, { cause: error });
    };
    return untilItWorks(() => attempt().catch(passing), { signal, within: 120_000, retry: ofDying });
  };

  async function upgrade(sequence: number, at: (moment: Moment) => void = () => {}): Promise<void> {
    const pkg = await packaged(sequence);
    const definition = definitionOf(sequence);
    if (sequence > builds + 1) await seed(pkg.id);
    const mspIds = network.peers.map(({ organization }) => organization.mspId);
    await Promise.all(
      reached.map(async (client) => {
        at("install");
        await insist(() => installChaincode(client, pkg));
        const gateway = openGateway(client);
        at("approve");
        await insist(() => approveDefinition(gateway, channelId, client.identity.mspId, definition, pkg.id));
      }),
    );
    const [first] = reached as [NodeClient];
    const committed = async () => (await committedDefinition(first, channelId, "asset"))?.sequence === sequence;
    at("commit");
    await insist(async () => {
      if (await committed()) return;
      await commitDefinition(openGateway(first), channelId, mspIds, definition);
    });
    for (const client of reached) {
      await insist(async () => {
        const known = await committedDefinition(client, channelId, "asset");
        if (known?.sequence === sequence) return;
        throw new FabricError("not-ready", `${client.connection.name} has not yet sequence ${sequence}`);
      });
    }
  }

  interface Kill {
    readonly peer: number;
    readonly moment: Moment;
    /** After the moment has come. */
    readonly milliseconds: number;
  }

  /** As many as there are upgrades. */
  const kills = (): readonly Kill[] => {
    const peer = fc.nat(network.peers.length - 1);
    const kill = fc.record({ peer, moment: fc.constantFrom(...moments), milliseconds: fc.nat(1000) });
    return fc.sample(kill, { seed: killSeed, numRuns: upgrades });
  };

  async function upgradeKilling(sequence: number, { peer, moment, milliseconds }: Kill): Promise<void> {
    let killed: Promise<void> | undefined;
    const kill = async () => {
      const node = network.peers[peer];
      await sleep(milliseconds);
      await node?.process.kill();
      await node?.process.start();
    };
    await upgrade(sequence, (now) => void (now === moment && (killed ??= kill())));
    await killed;
  }

  const request = async (organizations: readonly PeerNode[]): Promise<CleanupRequest> => ({
    sources: ["dind", "builder-k8s", "service"],
    olderThan: 0,
    identities: await Promise.all(organizations.map(({ organization }) => administratorOf(organization))),
    gonePeers: [],
    nodes: { ...nodeAccessDefaults, namespace: "default" },
  });

  async function looking<T>(told: readonly PeerNode[], use: (found: Cleanup) => Promise<T>): Promise<T> {
    const { cluster } = server;
    const found = await openCleanup({ cluster, lasting: cluster }, [], await request(told), signal);
    try {
      return await use(found);
    } finally {
      await found.close();
    }
  }

  const images = async (): Promise<readonly string[]> =>
    (await daemon.docker("images", "--format", "{{.Repository}}"))
      .split("\n")
      .filter((name) => name.startsWith("dev-"));

  describe.skipIf(missing)("cleanup at peers that somebody else deployed", () => {
    test("finds what upgrades left, while peers were killed", { timeout: 3_600_000 }, async () => {
      await upgrade(1);
      for (const [index, kill] of kills().entries()) {
        console.log(`CLEANUP_SEED=${killSeed}, upgrade ${index + 1}: ${JSON.stringify(kill)}`);
        await upgradeKilling(index + 2, kill);
      }
      // A peer that was killed builds again what it lacks.
      await insist(async () => {
        const [wanted, found] = [network.peers.length * (upgrades + 1), (await images()).length];
        if (found !== wanted) throw new FabricError("not-ready", `expected ${wanted} images, found ${found}`);
      });
      await looking(network.peers, async ({ findings, uncommitted, blind }) => {
        expect({ uncommitted, blind }).toEqual({ uncommitted: [], blind: [] });
        const old = findings.filter(
          ({ kind, verdict, packageId }) => kind === "image" && verdict === "orphan" && packageId,
        );
        expect(old).toHaveLength(network.peers.length * upgrades);
        for (const { because } of old)
          expect(because).toMatch(/^asset on mychannel ran it at sequence \d+, and is at \d+$/);
        expect(findings.filter(({ kind, verdict }) => kind === "image" && verdict === "needed")).toHaveLength(
          network.peers.length,
        );
      });
    });

    test("keeps everything of a peer whose administrator nobody told, and says so", async () => {
      const [first, second] = network.peers as [PeerNode, PeerNode];
      await looking([first], async ({ findings, blind }) => {
        expect(blind).toMatchObject([
          { code: "not-found", because: expect.stringContaining(second.organization.mspId) },
        ]);
        const theirs = findings.filter(({ place, packageId }) => place === "peers/peer-1" && packageId !== undefined);
        expect(theirs.length).toBeGreaterThan(0);
        for (const { verdict } of theirs) expect(verdict).toBe("kept");
      });
    });

    test("keeps a package that is installed or approved, and not yet committed", async () => {
      const pkg = await packaged(1000);
      const [client] = reached as [NodeClient];
      await seed(pkg.id, network.peers.slice(0, 1));
      await installChaincode(client, pkg);
      const stateNow = () =>
        looking(network.peers, async ({ findings, uncommitted }) => ({
          verdicts: findings.filter(({ packageId }) => packageId === pkg.id).map(({ verdict }) => verdict),
          uncommitted: uncommitted.map(({ packageId }) => packageId),
        }));
      expect(await stateNow()).toEqual({ verdicts: ["kept"], uncommitted: [pkg.id] });
      const definition = definitionOf(upgrades + 2);
      await insist(() => approveDefinition(openGateway(client), channelId, client.identity.mspId, definition, pkg.id));
      expect(await stateNow()).toEqual({ verdicts: ["needed"], uncommitted: [] });
    });

    // 2.5 tells approvals by the name of a chaincode that is committed, and no others.
    test("keeps a package that is approved under a name never committed", { skip: column.line === "2.5" }, async () => {
      const pkg = await packaged(1001);
      const [client] = reached as [NodeClient];
      await seed(pkg.id, network.peers.slice(0, 1));
      await installChaincode(client, pkg);
      const definition = { ...definitionOf(1), name: "other" };
      await approveDefinition(openGateway(client), channelId, client.identity.mspId, definition, pkg.id);
      await looking(network.peers, async ({ findings, uncommitted }) => {
        const verdicts = findings.filter(({ packageId }) => packageId === pkg.id).map(({ verdict }) => verdict);
        expect({ verdicts, uncommitted }).toEqual({ verdicts: ["needed"], uncommitted: [] });
      });
    });

    test("finds 200 orphans more in the daemon, and nothing of others", async () => {
      const owner = { networkId: "dev", peerId: `peer0.${network.peers[0]?.organization.mspId}` };
      // Its own: the peers share the daemon here, each as if it had it alone, and what is made of another's image keeps that.
      const ofOwn = `dev-${owner.peerId}-`.toLowerCase();
      const some = (await images()).find((name) => name.startsWith(ofOwn)) ?? "";
      const gone = (index: number) => `gone:${String(index).padStart(64, "0")}`;
      const range = Array.from({ length: 80 }, (_, index) => index);
      await eachBounded(range, 4, async (index) => {
        await daemon.docker("tag", some, imageNameOf(owner, gone(index)));
        await daemon.docker("create", "--name", containerNameOf(owner, gone(index)), some, "true");
        if (index >= 40) return;
        await daemon.docker("create", "--name", `step-${index}`, some, "/bin/sh", "-c", "#(nop) LABEL a=b");
      });
      await eachBounded(range.slice(0, 25), 4, async (index) => {
        await daemon.docker("tag", some, `mine:${index}`);
        // By a name of its own: containers that stay keep the name that they were made by.
        const name = `other-peer-gone-${String(index).padStart(64, "0")}`;
        await daemon.docker("create", "--name", name, `mine:${index}`, "true");
      });
      await looking(network.peers, async ({ findings }) => {
        const there = findings.filter(({ place }) => place === "peers/peer-0");
        const orphans = there.filter(({ verdict }) => verdict === "orphan");
        expect(
          orphans.filter(({ packageId = "", name }) => /^gone:|^$/.test(packageId) && /gone|step-/.test(name)),
        ).toHaveLength(200);
        expect(there.filter(({ name, verdict }) => name.startsWith("other-") && verdict === "kept")).toHaveLength(25);
        expect(there.filter(({ name }) => name.startsWith("mine:"))).toEqual([]);
      });
    });

    test("leaves no orphan, and the chaincode that the channel runs", async () => {
      const before = await images();
      const outcomes = new Map<string, Outcome>();
      await looking(network.peers, async (found) => {
        expect(found.blind).toEqual([]);
        // As the command does it: a peer that was killed may still build what is removed ahead of it.
        for (const { steps } of cleanupPlans(found, () => {})) {
          const report = await runToEnd(await steps(signal), { signal });
          for (const [id, outcome] of report.outcomes) outcomes.set(id, outcome);
        }
      });
      const removed = [...outcomes.values()].filter(({ result }) => result === "changed");
      expect(removed.length).toBeGreaterThanOrEqual(network.peers.length * upgrades);
      await looking(network.peers, async ({ findings }) => {
        const left = findings.filter(({ verdict }) => verdict === "orphan");
        expect(left.map((each) => ({ ...each, removal: outcomes.get(findingKey(each)) }))).toEqual([]);
      });
      // One for each peer, and those that the first one has approved.
      const after = await images();
      expect(after).toHaveLength(network.peers.length + (column.line === "2.5" ? 1 : 2));
      expect(before).toEqual(expect.arrayContaining([...after]));
      const others = (await daemon.docker("ps", "--all", "--format", "{{.Names}}")).split("\n");
      expect(others.filter((name) => name.startsWith("other-"))).toHaveLength(25);
      expect(others.filter((name) => /^step-|gone/.test(name) && !name.startsWith("other-"))).toEqual([]);
      for (const client of reached) {
        const gateway = openGateway(client);
        const invocation = { channel: channelId, chaincode: "asset", function: "ListAssets", arguments: ["", ""] };
        expect(Buffer.from(await insist(() => gateway.evaluate(invocation))).toString()).toBe("[]");
      }
    });

    test(
      "removes nothing ahead of a peer that goes through its packages, and all of it after",
      { timeout: 900_000 },
      async () => {
        const [first] = network.peers as [PeerNode];
        const [client] = reached as [NodeClient];
        const { sequence = 0 } = (await committedDefinition(client, channelId, "asset")) ?? {};
        for (const next of [1, 2, 3]) await upgrade(sequence + next);
        const peerId = `peer0.${first.organization.mspId}`;
        const [old = []] = await looking(network.peers, async ({ starts }) =>
          starts.map(({ superseded }) => [...superseded]),
        );
        expect(old.length).toBeGreaterThanOrEqual(2);
        for (const packageId of old) await seed(packageId);
        const oldImages = async () => {
          const there = await images();
          return old
            .map((packageId) => imageNameOf({ networkId: "dev", peerId }, packageId))
            .filter((name) => there.includes(name));
        };
        const gate = await startHeld(first);
        const cleaning = looking(network.peers, async (found) => {
          for (const { steps } of cleanupPlans(found, () => {})) await runToEnd(await steps(signal), { signal });
          return Promise.all(found.starts.map((start) => start.doubt(signal)));
        });
        // It asks again, not content with what the peer has shown so far.
        const questions = () => first.process.output().match(/Go routines report/g)?.length ?? 0;
        await Promise.race([cleaning, eventually("a second question", () => (questions() > 1 ? true : undefined))]);
        expect(await oldImages()).toHaveLength(old.length);
        await gate.open();
        expect(await cleaning).toEqual(network.peers.map(() => undefined));
        const passed = await gate.passed();
        for (const { packageId } of await insist(() => installedChaincodes(client))) {
          expect(passed).toContain(packageId.replace(":", "-"));
        }
        expect(await oldImages()).toEqual([]);
      },
    );

    /** Starts a peer again, whose first package is held until the gate opens: by an external builder that takes none. */
    async function startHeld(node: PeerNode) {
      const home = join(network.directory, "gate");
      const [bin, opened, passed] = [join(home, "bin"), join(home, "opened"), join(home, "passed")];
      await mkdir(bin, { recursive: true });
      const detect = `#!/bin/sh\nwhile [ ! -e ${opened} ]; do sleep 0.1; done\necho "$1" >>${passed}\nexit 1\n`;
      await writeFile(join(bin, "detect"), detect, { mode: 0o755 });
      const file = join(network.directory, "config/core.yaml");
      const core = parse(await readFile(file, "utf8")) as { chaincode: { externalBuilders: object[] } };
      core.chaincode.externalBuilders.unshift({ name: "gate", path: home });
      await node.process.kill();
      await writeFile(file, stringify(core));
      await node.process.start();
      return { open: () => writeFile(opened, ""), passed: () => readFile(passed, "utf8") };
    }
  });
});
