import { EventEmitter } from "node:events";
import { sha256 } from "../../channel/block.ts";
import type { Faults } from "../../faults.ts";
import { messageOf, type Log } from "../../log.ts";
import { hashedNamespace, type State } from "../../ledger/state.ts";
import type { ChaincodeLauncher } from "../chaincode/launcher.ts";
import type { PeerChannels } from "../peer-channels.ts";
import {
  chaincodeSources,
  lifecycleNamespace,
  localPackageRecord,
  namespaces,
  parametersRecord,
  privateName,
  readDefinition,
} from "./definition.ts";
import { implicitCollection } from "./endorsement-policy.ts";
import { parsePackage, type ChaincodePackage, type PackageStore } from "./package-store.ts";
import { mismatches, type HashedLifecycleState, type LifecycleRecord } from "./serializer.ts";

export interface Reference {
  readonly name: string;
  readonly version: string;
}

export interface InstalledChaincode {
  readonly packageId: string;
  readonly label: string;
  /** By channel: the committed definitions for which this organization approved this package. */
  readonly references: ReadonlyMap<string, readonly Reference[]>;
}

/** The packages installed at a peer, and which channels use them (core/chaincode/lifecycle/cache.go). Emits `installed`. */
export class InstalledChaincodes extends EventEmitter {
  readonly #store: PackageStore;
  readonly #launcher: ChaincodeLauncher;
  readonly #channels: PeerChannels;
  readonly #mspId: string;
  readonly #faults: Faults;
  readonly #log: Log;
  readonly #installing = new Map<string, Promise<void>>();
  readonly #succeeded = new Set<string>();

  constructor(
    store: PackageStore,
    launcher: ChaincodeLauncher,
    channels: PeerChannels,
    mspId: string,
    faults: Faults,
    log: Log,
  ) {
    super();
    this.#store = store;
    this.#launcher = launcher;
    this.#channels = channels;
    this.#mspId = mspId;
    this.#faults = faults;
    this.#log = log;
  }

  /** Builds again what was installed before the peer started. */
  async rebuild(packageId: string): Promise<void> {
    await this.#launcher.build(packageId);
    this.#succeeded.add(packageId);
  }

  async install(bytes: Uint8Array): Promise<ChaincodePackage> {
    if (this.#faults.refuseInstall !== "") {
      throw new Error(this.#faults.refuseInstall);
    }
    const chaincode = await parsePackage(bytes).catch((error: unknown) => {
      throw new Error(`could not parse as a chaincode install package: ${messageOf(error)}`, { cause: error });
    });
    const { packageId } = chaincode;
    // One at a time for each package: the second finds what the first has built.
    const before = this.#installing.get(packageId) ?? Promise.resolve();
    const installation = before.catch(() => undefined).then(() => this.#installOne(packageId, bytes));
    this.#installing.set(packageId, installation);
    await installation;
    this.#log(`Successfully installed chaincode with package ID '${packageId}'`);
    this.emit("installed");
    return chaincode;
  }

  get(packageId: string): InstalledChaincode {
    if (!this.#store.has(packageId)) {
      // core/chaincode/lifecycle/cache.go, GetInstalledChaincode
      throw new Error(`could not find chaincode with package id '${packageId}'`);
    }
    return {
      packageId,
      label: packageId.slice(0, packageId.lastIndexOf(":")),
      references: this.#referencesOf(packageId),
    };
  }

  all(): readonly InstalledChaincode[] {
    return this.#store.list().map((packageId) => this.get(packageId));
  }

  ids(): readonly string[] {
    return this.#store.list();
  }

  bytes(packageId: string): Buffer {
    return this.#store.read(packageId);
  }

  async #installOne(packageId: string, bytes: Uint8Array): Promise<void> {
    const known = this.#store.has(packageId);
    if (!known) {
      this.#store.save(packageId, bytes);
    }
    const built = this.#launcher.isBuilt(packageId);
    try {
      await this.#launcher.build(packageId);
    } catch (error) {
      this.#store.delete(packageId);
      throw new Error(`could not build chaincode: ${messageOf(error)}`, { cause: error });
    }
    if (built || this.#succeeded.has(packageId)) {
      throw new Error(`chaincode already successfully installed (package ID '${packageId}')`);
    }
    this.#succeeded.add(packageId);
  }

  #referencesOf(packageId: string): ReadonlyMap<string, readonly Reference[]> {
    const found = this.#channels.all().map((channel) => {
      const references = definedNames(channel.ledger.state).flatMap((name): readonly Reference[] => {
        const info = approvedChaincode(name, channel.ledger.state, this.#mspId, [packageId]);
        return info?.packageId === packageId ? [{ name, version: info.version }] : [];
      });
      return [channel.channelId, references] as const;
    });
    return new Map(found.filter(([, references]) => references.length > 0));
  }
}

/** The names of all chaincodes defined on a channel. */
export function definedNames(state: State): readonly string[] {
  const prefix = "namespaces/metadata/";
  return state.range(lifecycleNamespace, prefix, `${prefix}\x7f`).map(([key]) => key.slice(prefix.length));
}

/** What this organization has agreed to for the committed definition of a chaincode. */
export interface ApprovedChaincode {
  readonly sequence: number;
  readonly version: string;
  readonly initRequired: boolean;
  readonly approved: boolean;
  /** Of the packages installed here; undefined when the approval names none of them. */
  readonly packageId: string | undefined;
}

/** Reads hashes only, as Fabric does (cache.go): a peer that joined late has them, but not what they are hashes of. */
export function approvedChaincode(
  name: string,
  state: State,
  mspId: string,
  packageIds: readonly string[],
): ApprovedChaincode | undefined {
  const definition = readDefinition(name, { get: (key) => state.get(lifecycleNamespace, key)?.value });
  if (definition === undefined) {
    return undefined;
  }
  const space = hashedNamespace(lifecycleNamespace, implicitCollection(mspId));
  const hashes: HashedLifecycleState = {
    hash: (key) => state.get(space, sha256(Buffer.from(key)).toString("base64"))?.value,
  };
  const recordName = privateName(name, definition.sequence);
  const agrees = (space: string, record: LifecycleRecord): boolean =>
    mismatches(space, recordName, record, hashes).length === 0;
  const approved = agrees(namespaces, parametersRecord(definition));
  return {
    sequence: definition.sequence,
    version: definition.endorsement.getVersion(),
    initRequired: definition.endorsement.getInitRequired(),
    approved,
    packageId: approved
      ? packageIds.find((packageId) => agrees(chaincodeSources, localPackageRecord(packageId)))
      : undefined,
  };
}
