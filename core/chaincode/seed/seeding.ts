import type { ImageAddition } from "../../docker/composed-image.ts";
import { removeContainer } from "../../docker/containers.ts";
import { EngineError, type Engine } from "../../docker/engine.ts";
import { inspectImage, pullImage, splitName, type Image } from "../../docker/images.ts";
import { onceEach } from "../../engine/once.ts";
import { FabricError } from "../../error.ts";
import { chaincodeImageName } from "../../fabric/chaincode/chaincode-image.ts";
import { chaincodeFiles, type ChaincodePackage } from "../../fabric/package/chaincode-package.ts";
import type { StepContext } from "../../engine/step.ts";
import { newBuildTurn } from "./build-turn.ts";
import { composedSource, daemonSource, type ImageSource, type LayerReader } from "../image/image-source.ts";
import type { GivenImage } from "../image/given-image.ts";
import { imageOfPackage } from "../image/image-package.ts";
import { buildNode } from "./node-build.ts";
import { nodeLayer, reasonToBuild } from "./node-image.ts";
import type { BuildSettings } from "../image/peer-settings.ts";
import type { SeedPeer } from "../image/seed-peer.ts";
import { newTransfers, type Transfers } from "./transfer.ts";

/** How a peer's daemon came to the image. */
export type Provision =
  | { readonly how: "present" }
  /** Made here, of what the package holds. */
  | { readonly how: "composed"; readonly bytes: number }
  | { readonly how: "copied"; readonly from: string; readonly bytes: number }
  /** Built here, by us: the peer has yet to install the package. */
  | { readonly how: "prebuilt"; readonly bytes: number }
  /** By the peer itself, as it installed the package. */
  | { readonly how: "built" }
  /** Nobody has it and it cannot be made here: the peer builds it when it is to run it. */
  | { readonly how: "left" };

/** One package's image on its way into the daemons of all peers that run it. */
export interface Seeding {
  /** Whether the peer's daemon has the image under the name that the peer looks for. Throws as `SeedPeer.withDaemon` does. */
  has(peer: SeedPeer, signal: AbortSignal): Promise<boolean>;
  /**
   * Brings the image into the peer's daemon: composed, copied from a daemon that has it, or else built in one daemon while the other peers
   * wait. Node chaincode we build ourselves; what we cannot build, `build` does: the peer's own. Without `build` it may be left.
   */
  provide(peer: SeedPeer, context: StepContext, build?: () => Promise<void>): Promise<Provision>;
  /** Removes what its builds have left, and deletes what was kept on the way. */
  close(): Promise<void>;
}

/** What is known of a package without its bytes, and how to get at them. */
export interface SeededPackage {
  /** `label:sha256` */
  readonly id: string;
  /** What is to be run instead of what the package would give. */
  readonly image?: GivenImage | undefined;
  load(signal: AbortSignal): Promise<ChaincodePackage>;
}

/** `peers`: all whose daemons may have the image, or need it. */
export function newSeeding(pkg: SeededPackage, peers: readonly SeedPeer[]): Seeding {
  const transfers = newTransfers();
  return new PackageSeeding(pkg, peers, transfers, () => transfers.close());
}

/** One seeding for each of several packages, over the same peers: a layer that one has read the others need not read again. */
export interface Seedings {
  of(pkg: SeededPackage): Seeding;
  /** Ends all. */
  close(): Promise<void>;
}

export function newSeedings(peers: readonly SeedPeer[]): Seedings {
  const transfers = newTransfers();
  const seedings = new Map<string, PackageSeeding>();
  return {
    of(pkg) {
      const seeding = seedings.get(pkg.id) ?? new PackageSeeding(pkg, peers, transfers, async () => {});
      seedings.set(pkg.id, seeding);
      return seeding;
    },
    async close() {
      await Promise.all([...seedings.values()].map((seeding) => seeding.close()));
      await transfers.close();
    },
  };
}

/** Platforms of Fabric's own Docker builds; anything else is an external builder's (core/chaincode/platforms). */
export function isBuiltByDocker(type: string): boolean {
  return ["node", "golang", "java"].includes(type.toLowerCase());
}

/** What a package turns out to hold. */
interface Content {
  /** The image that it stands for, if it does. */
  readonly image: string | undefined;
  /** The layer that a build would add, kept in the store; undefined when something has to be built. */
  readonly layer: string | undefined;
}

const isNode = ({ metadata }: ChaincodePackage): boolean => metadata.type.toLowerCase() === "node";

class PackageSeeding implements Seeding {
  readonly #pkg: SeededPackage;
  readonly #peers: readonly SeedPeer[];
  readonly #transfers: Transfers;
  readonly #reader: LayerReader;
  readonly #closeTransfers: () => Promise<void>;
  readonly #turn = newBuildTurn();
  readonly #names = new Map<string, Promise<string>>();
  /** By host: the image in the peer's daemon, as it was seen last. */
  readonly #seen = new Map<string, Promise<Image | undefined>>();
  /** What we built, one for each kind of processor. */
  readonly #built: ImageSource[] = [];
  /** Containers of builds that are over. */
  readonly #tidying: Promise<void>[] = [];
  readonly #contents = onceEach<Content>();
  readonly #givenSource = onceEach<ImageSource>();

  constructor(
    pkg: SeededPackage,
    peers: readonly SeedPeer[],
    transfers: Transfers,
    closeTransfers: () => Promise<void>,
  ) {
    this.#pkg = pkg;
    this.#peers = peers;
    this.#transfers = transfers;
    this.#reader = transfers.reader;
    this.#closeTransfers = closeTransfers;
  }

  async has(peer: SeedPeer, signal: AbortSignal): Promise<boolean> {
    const name = await this.#nameFor(peer, signal);
    return (await this.#look(peer, name, signal)) !== undefined;
  }

  async provide(peer: SeedPeer, context: StepContext, build?: () => Promise<void>): Promise<Provision> {
    const { signal } = context;
    if (await this.has(peer, signal)) return { how: "present" };
    const given = await this.#given(context);
    if (given) return { how: "copied", from: given.from, bytes: await this.#send(peer, given, context) };
    const made = await this.#composedFor(peer, context);
    if (made) return { how: "composed", bytes: await this.#send(peer, made, context) };
    for (;;) {
      const source = (await this.#builtFor(peer, signal)) ?? (await this.#elsewhere(peer, signal));
      if (source) return sent(peer, source, await this.#send(peer, source, context));
      await this.#checkSources(signal);
      if (!build) return { how: "left" };
      if (await this.#turn.take(peer.host, () => this.#build(peer, build, context), context)) {
        this.#seen.delete(peer.host);
        if (!this.#built.some(({ from }) => from === peer.host)) return { how: "built" };
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#tidying);
    await this.#closeTransfers();
  }

  #nameFor(peer: SeedPeer, signal: AbortSignal): Promise<string> {
    const before = this.#names.get(peer.host);
    if (before) return before;
    const name = peer.names(signal).then((names) => chaincodeImageName(names, this.#pkg.id));
    this.#names.set(peer.host, name);
    name.catch(() => this.#names.delete(peer.host));
    return name;
  }

  #look(peer: SeedPeer, name: string, signal: AbortSignal): Promise<Image | undefined> {
    const before = this.#seen.get(peer.host);
    if (before) return before;
    const looking = peer.withDaemon(signal, ({ engine }) => inspectImage(engine, name, signal));
    this.#seen.set(peer.host, looking);
    looking.catch(() => this.#seen.delete(peer.host));
    return looking;
  }

  async #send(peer: SeedPeer, source: ImageSource, context: StepContext): Promise<number> {
    const name = await this.#nameFor(peer, context.signal);
    try {
      return await this.#transfers.send(peer, source, name, context);
    } catch (error) {
      // The peer that was to give it may be gone: its daemon is looked at anew.
      this.#seen.delete(source.from);
      throw error;
    } finally {
      this.#seen.delete(peer.host);
    }
  }

  /** The image in the first other daemon that has it for the same processor. A daemon that cannot be reached counts as without it. */
  async #elsewhere(target: SeedPeer, signal: AbortSignal): Promise<ImageSource | undefined> {
    const others = this.#peers.filter(({ host }) => host !== target.host);
    const looks = others.map(async (peer) => {
      const image = await this.#look(peer, await this.#nameFor(peer, signal), signal);
      return image && daemonSource(peer, image, this.#reader);
    });
    const found = (await Promise.allSettled(looks)).flatMap((look) =>
      look.status === "fulfilled" && look.value ? [look.value] : [],
    );
    if (found.length === 0) return undefined;
    const architecture = await target.withDaemon(signal, ({ engine }) => architectureOf(engine, signal));
    return found.find((source) => source.architecture === architecture);
  }

  async #builtFor(target: SeedPeer, signal: AbortSignal): Promise<ImageSource | undefined> {
    if (this.#built.length === 0) return undefined;
    const architecture = await target.withDaemon(signal, ({ engine }) => architectureOf(engine, signal));
    return this.#built.find((source) => source.architecture === architecture);
  }

  async #build(peer: SeedPeer, build: () => Promise<void>, context: StepContext): Promise<void> {
    const source = await this.#prebuilt(peer, context);
    if (source) this.#built.push(source);
    else await build();
  }

  /**
   * Builds what the peer itself would build, without the peer's detours: it packs the result into a build context, of which its daemon
   * makes a layer, and that layer can be had only by saving the whole image. Undefined for other languages, without the base image in this
   * daemon, and where the daemon refuses: then the peer's own build says why.
   */
  async #prebuilt(peer: SeedPeer, context: StepContext): Promise<ImageSource | undefined> {
    const pkg = await this.#pkg.load(context.signal);
    if (!isNode(pkg)) return undefined;
    const settings = await peer.buildSettings(context.signal);
    const base = await this.#baseFor(peer, settings.nodeRuntime, context);
    if (base?.source.from !== peer.host) return undefined;
    const discard = (container: string): void => void this.#tidying.push(discarded(peer, container));
    try {
      const build = { pkg, image: settings.nodeRuntime, discard };
      const layer = await buildNode(peer, build, this.#reader.store, context);
      return composedSource(base.image, base.source, layer, nodeAddition(settings), peer.host);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      return undefined;
    }
  }

  #given(context: StepContext): Promise<ImageSource> | undefined {
    const { id, image } = this.#pkg;
    return image && this.#givenSource(id, () => image(this.#reader, context));
  }

  /**
   * Throws `not-found` for a package that stands for an image: it has no sources, and a build of it would be another image by that name.
   */
  async #checkSources(signal: AbortSignal): Promise<void> {
    const { image } = await this.#contentOnce(signal);
    if (image === undefined) return;
    throw new FabricError("not-found", `expected a daemon that has the image ${image} of ${this.#pkg.id}, found none`, {
      hint: [{ operation: "deploy", of: "NAME", on: "CHANNEL", with: { image: "REF" } }, " brings it again"],
    });
  }

  /** The image without any build, where the package holds all of it and its base can be had. */
  async #composedFor(peer: SeedPeer, context: StepContext): Promise<ImageSource | undefined> {
    const { layer } = await this.#contentOnce(context.signal);
    if (layer === undefined) return undefined;
    const settings = await peer.buildSettings(context.signal);
    // Any other image may have a build script of its own.
    if (!/(^|\/)fabric-nodeenv$/.test(splitName(settings.nodeRuntime).repo)) return undefined;
    const base = await this.#baseFor(peer, settings.nodeRuntime, context);
    return base && composedSource(base.image, base.source, layer, nodeAddition(settings));
  }

  #contentOnce(signal: AbortSignal): Promise<Content> {
    return this.#contents(this.#pkg.id, () => this.#contentOf(signal));
  }

  async #contentOf(signal: AbortSignal): Promise<Content> {
    const pkg = await this.#pkg.load(signal);
    const files = await chaincodeFiles(pkg);
    const image = imageOfPackage(files);
    const composes = image === undefined && isNode(pkg) && reasonToBuild(files) === undefined;
    return { image, layer: composes ? await this.#reader.store.keepNew(nodeLayer(files)) : undefined };
  }

  /** The base image: the peer's own, another daemon's, or pulled by the peer's daemon. */
  async #baseFor(
    peer: SeedPeer,
    reference: string,
    context: StepContext,
  ): Promise<{ readonly image: Image; readonly source: ImageSource } | undefined> {
    const { signal } = context;
    const inspect = (one: SeedPeer): Promise<Image | undefined> =>
      one.withDaemon(signal, ({ engine }) => inspectImage(engine, reference, signal));
    const from = (one: SeedPeer, image: Image) => ({ image, source: daemonSource(one, image, this.#reader) });
    const own = await inspect(peer);
    if (own) return from(peer, own);
    const architecture = await peer.withDaemon(signal, ({ engine }) => architectureOf(engine, signal));
    for (const other of this.#peers.filter(({ host }) => host !== peer.host)) {
      const image = await inspect(other).catch(() => undefined);
      if (image?.Architecture === architecture) return from(other, image);
    }
    context.progress(`pulls ${reference}`);
    const pulled = await peer
      .withDaemon(signal, ({ engine }) => pullImage(engine, reference, context))
      .then(
        () => inspect(peer),
        () => undefined, // the peer's own build will say why
      );
    return pulled && from(peer, pulled);
  }
}

function sent(peer: SeedPeer, { from }: ImageSource, bytes: number): Provision {
  return from === peer.host ? { how: "prebuilt", bytes } : { how: "copied", from, bytes };
}

/** Works also after Ctrl-C, as it has a time limit of its own. A container that stays is left to `cleanup`, which knows it. */
async function discarded(peer: SeedPeer, container: string): Promise<void> {
  const signal = AbortSignal.timeout(20_000);
  await peer.withDaemon(signal, ({ engine }) => removeContainer(engine, container, signal)).catch(() => {});
}

/** core/chaincode/platforms/platforms.go, GenerateDockerfile. */
function nodeAddition({ version }: BuildSettings): ImageAddition {
  return {
    env: [`CORE_CHAINCODE_BUILDLEVEL=${version}`],
    labels: { "org.hyperledger.fabric.chaincode.type": "NODE", "org.hyperledger.fabric.version": version },
  };
}

async function architectureOf(engine: Engine, signal: AbortSignal): Promise<string> {
  const { Arch = "" } = (await engine.call({ method: "GET", path: "/version", signal })) as { readonly Arch?: string };
  if (Arch === "") throw new FabricError("invalid", "expected Docker to say its processor's architecture, found none");
  return Arch;
}
