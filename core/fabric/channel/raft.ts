import { orderer } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";
import { printAddress, type Address } from "../node/address.ts";

/** An orderer that takes part in ordering a channel. Certificates are PEM. */
export interface Consenter extends Address {
  readonly clientTlsCertificate: string;
  readonly serverTlsCertificate: string;
}

export interface RaftOptions {
  /** A Go duration. */
  readonly tickInterval?: string;
  /** Ticks without a heartbeat until an election. */
  readonly electionTick?: number;
  readonly heartbeatTick?: number;
  readonly maxInflightBlocks?: number;
  /** Bytes of blocks between snapshots. */
  readonly snapshotIntervalSize?: number;
}

/** sampleconfig/configtx.yaml, Orderer.EtcdRaft.Options. */
const defaults = {
  tickInterval: "500ms",
  electionTick: 10,
  heartbeatTick: 1,
  maxInflightBlocks: 5,
  snapshotIntervalSize: 16 * 1024 * 1024,
} as const satisfies Required<RaftOptions>;

/** The value ConsensusType of a channel ordered by Raft. Throws `usage` for consenters that Fabric would refuse. */
export function raftConsensusType(consenters: readonly Consenter[], options: RaftOptions = {}): orderer.ConsensusType {
  checkConsenters(consenters);
  const metadata = new orderer.etcdraft.ConfigMetadata();
  metadata.setConsentersList(consenters.map(raftConsenter));
  metadata.setOptions(raftOptions({ ...defaults, ...options }));
  const type = new orderer.ConsensusType();
  type.setType("etcdraft");
  type.setMetadata(metadata.serializeBinary());
  return type;
}

export function raftConsenter(consenter: Consenter): orderer.etcdraft.Consenter {
  const message = new orderer.etcdraft.Consenter();
  message.setHost(consenter.host);
  message.setPort(consenter.port);
  message.setClientTlsCert(Buffer.from(consenter.clientTlsCertificate));
  message.setServerTlsCert(Buffer.from(consenter.serverTlsCertificate));
  return message;
}

export function readRaftConsenter(message: orderer.etcdraft.Consenter): Consenter {
  return {
    host: message.getHost(),
    port: message.getPort(),
    clientTlsCertificate: Buffer.from(message.getClientTlsCert_asU8()).toString(),
    serverTlsCertificate: Buffer.from(message.getServerTlsCert_asU8()).toString(),
  };
}

/**
 * Throws `usage` unless there are consenters and no two share an address or a certificate
 * (orderer/consensus/etcdraft/util.go, MetadataHasDuplication).
 */
export function checkConsenters(consenters: readonly Consenter[]): void {
  if (consenters.length === 0) throw new FabricError("usage", "expected at least one consenter, found none");
  const seen = new Set<string>();
  for (const consenter of consenters) {
    const own = [printAddress(consenter), consenter.clientTlsCertificate, consenter.serverTlsCertificate];
    if (own.some((item) => seen.has(item))) {
      throw new FabricError(
        "usage",
        `expected consenters with an address and certificates of their own, found those of ${printAddress(consenter)} twice`,
      );
    }
    for (const item of own) seen.add(item);
  }
}

function raftOptions(options: Required<RaftOptions>): orderer.etcdraft.Options {
  const message = new orderer.etcdraft.Options();
  message.setTickInterval(options.tickInterval);
  message.setElectionTick(options.electionTick);
  message.setHeartbeatTick(options.heartbeatTick);
  message.setMaxInflightBlocks(options.maxInflightBlocks);
  message.setSnapshotIntervalSize(options.snapshotIntervalSize);
  return message;
}
