import { messageOf, type Log } from "../../log.ts";
import type { ChaincodeLauncher } from "../chaincode/launcher.ts";
import type { PeerChannel } from "../peer-channel.ts";
import type { PeerChannels } from "../peer-channels.ts";
import { approvedChaincode, definedNames, type InstalledChaincodes } from "./installed.ts";

const fabric = "github.com/hyperledger/fabric/core";
const work = `${fabric}/chaincode/lifecycle.(*ChaincodeCustodian).Work`;
const idle = ["sync.(*Cond).Wait"] as const;
const building = [`${fabric}/container.(*Router).Build`] as const;
const launching = [`${fabric}/chaincode.(*RuntimeLauncher).Launch`] as const;
const stopping = [`${fabric}/chaincode.(*RuntimeLauncher).Stop`] as const;

/**
 * Builds again what was installed before the peer started, starts what the committed definitions run here without being called, and
 * stops what none runs any more: one after another, the builds first (core/chaincode/lifecycle/custodian.go; what is told to it when:
 * cache.go, InitializeLocalChaincodes, update and handleChaincodeInstalledWhileLocked).
 */
export class Custodian {
  readonly #installed: InstalledChaincodes;
  readonly #launcher: ChaincodeLauncher;
  readonly #channels: PeerChannels;
  readonly #mspId: string;
  readonly #log: Log;
  /** "channel/name" -> what runs for it, as it was seen last. */
  readonly #seen = new Map<string, { readonly sequence: number; readonly packageId: string | undefined }>();
  #chores: Promise<void> = Promise.resolve();
  #waiting = 0;
  /** Functions of Fabric's that it is in, the innermost first. */
  #within: readonly string[] = idle;
  #closed = false;

  constructor(
    installed: InstalledChaincodes,
    launcher: ChaincodeLauncher,
    channels: PeerChannels,
    mspId: string,
    log: Log,
  ) {
    this.#installed = installed;
    this.#launcher = launcher;
    this.#channels = channels;
    this.#mspId = mspId;
    this.#log = log;
  }

  /** To be called before the channels are looked after. */
  rebuild(): void {
    for (const packageId of this.#installed.ids()) {
      this.#enqueue(`could not build chaincode '${packageId}'`, building, () => this.#installed.rebuild(packageId));
    }
  }

  /** As a report of goroutines shows it (common/diag/goroutine.go). */
  report(): string {
    const within = [...this.#within, work].map((name) => `${name}(...)\n`).join("");
    return `Go routines report:\ngoroutine 1 [${this.#within === idle ? "sync.Cond.Wait" : "select"}]:\n${within}`;
  }

  /** Looks after all channels there are, and those that will be joined. */
  start(): void {
    const watch = (channel: PeerChannel): void => {
      channel.events.on("block", () => this.#look(channel));
      this.#look(channel);
    };
    this.#channels.all().forEach(watch);
    this.#channels.on("joined", watch);
    this.#installed.on("installed", () => this.#channels.all().forEach((channel) => this.#look(channel)));
  }

  close(): void {
    this.#closed = true;
  }

  #look({ channelId, ledger }: PeerChannel): void {
    const packageIds = this.#installed.ids();
    for (const name of definedNames(ledger.state)) {
      const info = approvedChaincode(name, ledger.state, this.#mspId, packageIds);
      if (!info) continue;
      const { sequence, packageId } = info;
      const before = this.#seen.get(`${channelId}/${name}`);
      if (before?.sequence === sequence && before.packageId === packageId) continue;
      this.#seen.set(`${channelId}/${name}`, { sequence, packageId });
      const former = before?.packageId;
      if (former !== undefined && ![...this.#seen.values()].some((seen) => seen.packageId === former)) {
        this.#enqueue(`could not stop chaincode '${former}'`, stopping, () => this.#launcher.stop(former));
      }
      if (packageId !== undefined) {
        this.#enqueue(`could not launch chaincode '${packageId}'`, launching, () => this.#launcher.launch(packageId));
      }
    }
  }

  #enqueue(failure: string, within: readonly string[], act: () => Promise<unknown>): void {
    const before = this.#chores;
    this.#waiting++;
    const chore = async (): Promise<void> => {
      await before;
      if (this.#closed) return;
      this.#within = within;
      try {
        await act();
      } catch (error) {
        this.#log(`${failure}: ${messageOf(error)}`);
      }
      if (--this.#waiting === 0) this.#within = idle;
    };
    this.#chores = chore();
  }
}
