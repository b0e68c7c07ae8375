import type { ImageAddition } from "../../docker/composed-image.ts";
import type { Engine } from "../../docker/engine.ts";
import { inspectImage, pullImage, splitName, type Image } from "../../docker/images.ts";
import { newLayerStore } from "../../docker/layer-store.ts";
import { FabricError } from "../../error.ts";
import { chaincodeImageName } from "../../fabric/chaincode-image.ts";
import { chaincodeFiles, type ChaincodePackage } from "../../fabric/chaincode-package.ts";
import type { StepContext } from "../../steps/step.ts";
import { newBuildTurn } from "./build-turn.ts";
import { composedSource, daemonSource, newLayerReader, type ImageSource } from "./image-source.ts";
import type { GivenImage } from "./given-image.ts";
import { imageOfPackage } from "./image-package.ts";
import { nodeLayer, reasonToBuild } from "./node-image.ts";
import type { BuildSettings } from "./peer-settings.ts";
import type { SeedPeer } from "./seed-peer.ts";
import { sendTo } from "./transfer.ts";

/** How a peer's daemon came to the image. */
export type Provision =
  | { readonly how: "present" }
  /** Made here, of what the package holds. */
  | { readonly how: "composed"; readonly bytes: number }
  | { readonly how: "copied"; readonly from: string; readonly bytes: number }
  /** By the peer itself. */
  | { readonly how: "built" }
  /** Nobody has it and it cannot be made here: the peer builds it when it is to run it. */
  | { readonly how: "left" };

/** One package's image on its way into the daemons of all peers that run it. */
export interface Seeding {
  /** Whether the peer's daemon has the image under the name that the peer looks for. Throws as `SeedPeer.withDaemon` does. */
  has(peer: SeedPeer, signal: AbortSignal): Promise<boolean>;
  /**
   * Gets it there: composed, copied from a daemon that has it, or else by `build`, which one peer does while the others wait.
   * Without `build` it may be left.
   */
  provide(peer: SeedPeer, context: StepContext, build?: () => Promise<void>): Promise<Provision>;
  /** Deletes what was kept on the way. */
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
  return new PackageSeeding(pkg, peers);
}

/** Platforms of Fabric's own Docker builds; anything else is an external builder's (core/chaincode/platforms). */
export function isBuiltByDocker(type: string): boolean {
  return ["node", "golang", "java"].includes(type.toLowerCase());
}

class PackageSeeding implements Seeding {
  readonly #pkg: SeededPackage;
  readonly #peers: readonly SeedPeer[];
  readonly #reader = newLayerReader(newLayerStore());
  readonly #turn = newBuildTurn();
  readonly #names = new Map<string, Promise<string>>();
  /** Of each peer's daemon: the image by this name, as it was seen last. */
  readonly #seen = new Map<string, Promise<Image | undefined>>();
  #layer: Promise<string | undefined> | undefined;
  #givenSource: Promise<ImageSource> | undefined;

  constructor(pkg: SeededPackage, peers: readonly SeedPeer[]) {
    this.#pkg = pkg;
    this.#peers = peers;
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
      const source = await this.#elsewhere(peer, signal);
      if (source) return { how: "copied", from: source.from, bytes: await this.#send(peer, source, context) };
      await this.#checkSources(signal);
      if (!build) return { how: "left" };
      if (await this.#turn.take(peer.host, build, context)) {
        this.#seen.delete(peer.host);
        return { how: "built" };
      }
    }
  }

  close(): Promise<void> {
    return this.#reader.store.close();
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
    const bytes = await sendTo(peer, source, name, this.#reader.store, context);
    this.#seen.delete(peer.host);
    return bytes;
  }

  /** The first other daemon that has it, for the same processor. One that cannot be reached has it not. */
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

  #given(context: StepContext): Promise<ImageSource> | undefined {
    const source = (this.#givenSource ??= this.#pkg.image?.(this.#reader, context));
    source?.catch(() => (this.#givenSource = undefined));
    return source;
  }

  /** What stands for an image has no sources: a build of it would be something else by its name. */
  async #checkSources(signal: AbortSignal): Promise<void> {
    const image = imageOfPackage(await chaincodeFiles(await this.#pkg.load(signal)));
    if (image === undefined) return;
    throw new FabricError("not-found", `expected a daemon that has the image ${image} of ${this.#pkg.id}, found none`, {
      hint: "kubectl fabric deploy-cc NAME -C CHANNEL --image REF brings it again",
    });
  }

  /** The image without any build, where the package holds all of it and its base can be had. */
  async #composedFor(peer: SeedPeer, context: StepContext): Promise<ImageSource | undefined> {
    const making = (this.#layer ??= this.#nodeLayer(context.signal));
    making.catch(() => (this.#layer = undefined));
    const layer = await making;
    if (layer === undefined) return undefined;
    const settings = await peer.buildSettings(context.signal);
    // Any other image may have a build script of its own.
    if (!/(^|\/)fabric-nodeenv$/.test(splitName(settings.nodeRuntime).repo)) return undefined;
    const base = await this.#baseFor(peer, settings.nodeRuntime, context);
    return base && composedSource(base.image, base.source, layer, nodeAddition(settings));
  }

  async #nodeLayer(signal: AbortSignal): Promise<string | undefined> {
    const pkg = await this.#pkg.load(signal);
    if (pkg.metadata.type.toLowerCase() !== "node") return undefined;
    const files = await chaincodeFiles(pkg);
    if (imageOfPackage(files) !== undefined) return undefined;
    return reasonToBuild(files) === undefined ? this.#reader.store.keepNew(nodeLayer(files)) : undefined;
  }

  /** The peer's own, another daemon's, or pulled by the peer's. */
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
