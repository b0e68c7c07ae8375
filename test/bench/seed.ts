import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { rmdir, symlink, unlink } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder, type Lifetime } from "../../build/lifetime.ts";
import type { SeedPeer } from "../../core/chaincode/image/seed-peer.ts";
import { newSeeding, type Provision } from "../../core/chaincode/seed/seeding.ts";
import { inspectImage, loadImage, saveImages, tagImage } from "../../core/docker/images.ts";
import { chaincodeImageName } from "../../core/fabric/chaincode/chaincode-image.ts";
import { chaincodeFiles, packChaincode, type ChaincodePackage } from "../../core/fabric/package/chaincode-package.ts";
import { assetTransfer } from "../contract/chaincode.ts";
import { columns, startColumn, type Extra } from "../contract/column.ts";
import { dockerPeer, type Traffic } from "../contract/docker-peer.ts";
import { noDocker, startDocker, type DockerDaemon } from "../contract/docker.ts";
import { approve, commit, install, joinAll, readiness } from "../integration/emulator/network/actions.ts";
import { propose } from "../integration/emulator/network/client.ts";
import { channelId, eventually, type Network, type PeerNode } from "../integration/emulator/network/network.ts";

/** A peer, its daemon, and what went between this process and that daemon. */
interface Place {
  readonly node: PeerNode;
  readonly id: string;
  readonly peer: SeedPeer;
  readonly traffic: Traffic;
  daemon(): DockerDaemon;
}

interface Figures {
  readonly seconds: number;
  readonly megabytes: number;
  readonly cpuSeconds: number;
  readonly builds: number;
}

const context = { signal: new AbortController().signal, progress: () => {} };
const organizations = ["Org1MSP", "Org1MSP", "Org2MSP", "Org2MSP"];
const ids = ["peer0.Org1MSP", "peer1.Org1MSP", "peer0.Org2MSP", "peer1.Org2MSP"];

/**
 * Chaincode onto four peers with a daemon each: built by each, copied whole, seeded, composed. Then a peer that lost its graph.
 * Real peers where a release is, else the emulator.
 */
export async function measure(lifetime: Lifetime): Promise<void> {
  if (noDocker !== undefined) {
    console.log(`nothing measured: ${noDocker}`);
    return;
  }
  const column = columns.findLast(({ missing }) => missing === undefined) ?? columns[0];
  if (!column) throw new Error("no column to measure");
  const work = await temporaryFolder(lifetime, "seed-");
  const daemons = await Promise.all(ids.map((id, index) => linkedDaemon(lifetime, work, id, index)));
  const settings = { CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE: "host", CORE_CHAINCODE_STARTUPTIMEOUT: "300s" };
  const environmentOf = (id: string): Extra => ({ CORE_VM_ENDPOINT: `unix://${work}/${id}.sock` });
  const network = await lifetime.begin(
    () => startColumn(column, "docker", settings, organizations, environmentOf),
    (begun) => begun.stop(),
  );
  const places = network.peers.map((node, index): Place =>
    placeOf(node, ids[index] ?? "", () => daemons[index] as DockerDaemon),
  );
  await joinAll(network);
  console.log(
    `peers: ${column.name}, each with Docker ${await daemons[0]?.docker("info", "--format", "{{.ServerVersion}}")}`,
  );
  await deployments(places);
  await lostGraph(lifetime, work, network, places, daemons);
}

/** A daemon at a path that stays when another takes its place. */
async function linkedDaemon(lifetime: Lifetime, work: string, id: string, index: number): Promise<DockerDaemon> {
  const daemon = await lifetime.begin(
    () => startDocker({ further: ["--cgroup-parent", `/${cgroupOf(index)}`], signal: lifetime.signal }),
    async (begun) => {
      await begun.stop();
      await removeGroup(cgroupOf(index));
    },
  );
  const link = join(work, `${id}.sock`);
  await unlink(link).catch(() => undefined);
  await symlink(daemon.endpoint.replace("unix://", ""), link);
  return daemon;
}

/** A daemon makes the group and leaves it behind, empty. */
async function removeGroup(name: string): Promise<void> {
  for (const path of globSync([`/sys/fs/cgroup/${name}`, `/sys/fs/cgroup/*/${name}`])) await rmdir(path);
}

const cgroupOf = (index: number): string => `bench-seed-${process.pid}-${index}`;

function placeOf(node: PeerNode, id: string, daemon: () => DockerDaemon): Place {
  const traffic = { bytes: 0 };
  const current = (): SeedPeer => dockerPeer(id, id, daemon(), traffic);
  return {
    node,
    id,
    traffic,
    daemon,
    peer: { ...current(), withDaemon: (signal, use) => current().withDaemon(signal, use) },
  };
}

async function deployments(places: readonly Place[]): Promise<void> {
  const scenes: readonly (readonly [string, boolean, (pkg: ChaincodePackage) => Promise<unknown>])[] = [
    ["built by each peer", true, (pkg) => all(places, (place) => installed(place, pkg))],
    ["built once, copied whole", true, (pkg) => copiedWhole(places, pkg)],
    ["built once, seeded", true, (pkg) => seeded(places, pkg)],
    ["composed", false, (pkg) => seeded(places, pkg)],
  ];
  console.log("\na Node chaincode of 2,400 files on four peers   wall      moved     CPU       builds");
  let reference: number | undefined;
  for (const [index, [name, toBuild, deploy]] of scenes.entries()) {
    const pkg = await packageFor(`scene${index}`, toBuild);
    const { seconds, megabytes, cpuSeconds, builds } = await figures(places, () => deploy(pkg));
    reference ??= seconds;
    console.log(
      `  ${name.padEnd(36)}${seconds.toFixed(1).padStart(9)} s${megabytes.toFixed(1).padStart(9)} MB${cpuSeconds.toFixed(1).padStart(8)} s${String(builds).padStart(9)}   ${(seconds / reference).toFixed(2)} x`,
    );
  }
  console.log(`  the layer that the daemons lack is ${await layerSize(places)} MB; three need it, when one builds`);
}

/** A package whose image is new to all; `toBuild`: with a script that npm has to run. */
async function packageFor(label: string, toBuild: boolean): Promise<ChaincodePackage> {
  const complete = await assetTransfer(label);
  const files = (await chaincodeFiles(complete)).map((file) => {
    if (file.name !== "src/package.json") return file;
    const json = JSON.parse(Buffer.from(file.content).toString()) as { readonly scripts: object };
    const scripts = toBuild ? { ...json.scripts, prepare: "node --version" } : json.scripts;
    return { ...file, content: Buffer.from(JSON.stringify({ ...json, scripts, description: label })) };
  });
  return packChaincode(complete.metadata, files);
}

async function installed({ node }: Place, pkg: ChaincodePackage): Promise<void> {
  const answer = await install(node, pkg.bytes);
  if (answer.getStatus() !== 200) throw new Error(answer.getMessage());
}

async function seeded(places: readonly Place[], pkg: ChaincodePackage): Promise<readonly Provision[]> {
  const seeding = newSeeding(
    { id: pkg.id, load: () => Promise.resolve(pkg) },
    places.map(({ peer }) => peer),
  );
  try {
    return await all(places, async (place) => {
      const provision = await seeding.provide(place.peer, context, () => installed(place, pkg));
      if (provision.how !== "built") await installed(place, pkg);
      return provision;
    });
  } finally {
    await seeding.close();
  }
}

/** What one would do by hand: save, load, tag. */
async function copiedWhole([first, ...others]: readonly Place[], pkg: ChaincodePackage): Promise<void> {
  if (!first) return;
  await installed(first, pkg);
  const name = await nameOf(first, pkg);
  await all(others, async (place) => {
    const archive = await first.peer.withDaemon(context.signal, ({ engine }) => saveImages(engine, [name]));
    await place.peer.withDaemon(context.signal, async ({ engine }) => {
      await loadImage(engine, archive);
      await tagImage(engine, name, await nameOf(place, pkg));
    });
    await installed(place, pkg);
  });
}

async function nameOf({ peer }: Place, pkg: ChaincodePackage): Promise<string> {
  return chaincodeImageName(await peer.names(context.signal), pkg.id);
}

const all = <T>(places: readonly Place[], act: (place: Place) => Promise<T>): Promise<readonly T[]> =>
  Promise.all(places.map(act));

async function figures(places: readonly Place[], act: () => Promise<unknown>): Promise<Figures> {
  for (const { traffic } of places) traffic.bytes = 0;
  const [builds, cpu, started] = [await countBuilds(places), cpuSeconds(places), performance.now()];
  await act();
  const seconds = (performance.now() - started) / 1000;
  const bytes = places.reduce((sum, { traffic }) => sum + traffic.bytes, 0);
  return {
    seconds,
    megabytes: bytes / 1e6,
    cpuSeconds: cpuSeconds(places) - cpu,
    builds: (await countBuilds(places)) - builds,
  };
}

/** A build starts one container of the image that builds. */
async function countBuilds(places: readonly Place[]): Promise<number> {
  const counts = await all(places, async (place) => {
    const now = await place.daemon().docker("info", "--format", "{{.SystemTime}}");
    const filters = ["--filter", "event=start", "--filter", "image=hyperledger/fabric-nodeenv:2.5"];
    const events = await place.daemon().docker("events", "--since", "0", "--until", now, ...filters);
    return events.split("\n").filter((line) => line !== "").length;
  });
  return counts.reduce((sum, count) => sum + count);
}

/** Of the daemons, their containers (by control groups of version 1, if this machine has them) and this process. */
function cpuSeconds(places: readonly Place[]): number {
  const { user, system } = process.cpuUsage();
  const folders = places.map((place) => place.daemon().endpoint.replace("unix://", "").replace("/docker.sock", ""));
  const daemons = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => folders.some((folder) => textOf(`/proc/${pid}/cmdline`).includes(folder)))
    .map((pid) => {
      // proc(5): user and system time, own and of children that have ended, are fields 14 to 17, in ticks of 10 ms.
      const fields = textOf(`/proc/${pid}/stat`)
        .replace(/^.*\) /, "")
        .split(" ");
      return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) / 100;
    });
  const groups = places.map((_, index) => {
    const file = `/sys/fs/cgroup/cpuacct/${cgroupOf(index)}/cpuacct.usage`;
    return existsSync(file) ? Number(textOf(file)) / 1e9 : 0;
  });
  return (user + system) / 1e6 + [...daemons, ...groups].reduce((sum, seconds) => sum + seconds, 0);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // it has ended meanwhile
  }
}

async function layerSize(places: readonly Place[]): Promise<string> {
  const [place] = places;
  const sizes = await place?.peer.withDaemon(context.signal, async ({ engine }) => {
    const images = (await place.daemon().docker("images", "--format", "{{.Repository}}")).split("\n");
    const built = await inspectImage(engine, images.find((name) => name.startsWith("dev-")) ?? "");
    const base = await inspectImage(engine, "hyperledger/fabric-nodeenv:2.5");
    return (built?.Size ?? 0) - (base?.Size ?? 0);
  });
  return ((sizes ?? 0) / 1e6).toFixed(1);
}

/** From the moment that a peer serves again, on a daemon that knows nothing but the base image, to its first answer. */
async function lostGraph(
  lifetime: Lifetime,
  work: string,
  network: Network,
  places: readonly Place[],
  daemons: DockerDaemon[],
): Promise<void> {
  const pkg = await packageFor("lost", false);
  const toBuild = await packageFor("lost-to-build", true);
  for (const one of [pkg, toBuild]) await seeded(places, one);
  const definitions = [
    { name: "lost", version: "1", sequence: 1, pkg },
    { name: "lostbuilt", version: "1", sequence: 1, pkg: toBuild },
  ];
  for (const { pkg: of, ...definition } of definitions) await committed(network, definition, of);
  const [first, , , place] = places as readonly [Place, Place, Place, Place];
  console.log("\na peer's Pod with its graph is deleted: from Ready to the first answer");
  for (const [name, definition, seeds] of [
    ["without seed (the peer builds)", definitions[0], false],
    ["seeded: composed of the package", definitions[0], true],
    ["seeded: copied from another peer", definitions[1], true],
  ] as const) {
    if (!definition) continue;
    await eventually("an answer of the other peer", () => answers(first, definition.name));
    await place.node.process.stop();
    await place.daemon().stop();
    const index = places.indexOf(place);
    daemons[index] = await linkedDaemon(lifetime, work, place.id, index);
    await lifetime.begin(
      () => place.node.process.start(),
      () => place.node.process.stop(),
    );
    const started = performance.now();
    const provision = seeds ? await seededLate(places, place, definition.pkg) : undefined;
    await eventually("an answer", () => answers(place, definition.name));
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`  ${name.padEnd(36)}${seconds.padStart(9)} s   ${provision?.how ?? ""}`);
  }
}

async function seededLate(places: readonly Place[], place: Place, pkg: ChaincodePackage): Promise<Provision> {
  const peers = places.map(({ peer }) => peer);
  const seeding = newSeeding({ id: pkg.id, load: () => Promise.resolve(pkg) }, peers);
  try {
    return await seeding.provide(place.peer, context);
  } finally {
    await seeding.close();
  }
}

async function answers({ node }: Place, chaincode: string): Promise<true | undefined> {
  const answer = await propose(node, { chaincode, channelId, args: ["ListAssets", "", ""] }).catch(() => undefined);
  return answer?.getResponse()?.getStatus() === 200 ? true : undefined;
}

async function committed(
  { peers }: Network,
  definition: { readonly name: string; readonly version: string; readonly sequence: number },
  pkg: ChaincodePackage,
): Promise<void> {
  const speakers = peers.filter((_, index) => index % 2 === 0);
  for (const node of speakers) await approve(node, definition, pkg.id);
  for (const node of speakers) {
    await eventually("approvals", async () =>
      [...(await readiness(node, definition)).values()].every(Boolean) ? true : undefined,
    );
  }
  const [first] = speakers;
  const mspIds = speakers.map(({ organization }) => organization.mspId);
  if (!first) return;
  await eventually("a commit", () =>
    commit(first, definition, mspIds).then(
      () => true as const,
      () => undefined,
    ),
  );
}
