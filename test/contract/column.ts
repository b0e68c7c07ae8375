import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import {
  emulatorPrograms,
  startNetwork,
  type Network,
  type Programs,
} from "../integration/emulator/network/network.ts";
import { defaultReleases, findReleases, type FabricRelease } from "../sandbox/fabric-release.ts";

/** What the cases run against. */
export interface Column {
  /** Head of the column in the report. */
  readonly name: string;
  /** Such as 3.1; the emulator follows the newest line. */
  readonly line: string;
  /** A release of Fabric; the emulator has none. */
  readonly release?: FabricRelease;
  /** Why nothing can run in this column. */
  readonly missing?: string;
}

/** Variables of the nodes that a suite of cases adds. */
export type Extra = Readonly<Record<string, string>>;

const emulator: Column = { name: "emulator", line: "3.1" };

/** Whether what real nodes answer is written down to be compared with; the emulator has no part in that. */
export const recordingAnswers = Boolean(process.env["RECORD"]);

/** The emulator (FABRIC_ONLY leaves it out), and the releases that FABRIC_HOME names, else the newest on this machine. */
export const columns: readonly Column[] = [
  ...(recordingAnswers || process.env["FABRIC_ONLY"] === "1" ? [] : [emulator]),
  ...(await releaseColumns()),
];

async function releaseColumns(): Promise<readonly Column[]> {
  const releases = await findReleases();
  const chosen = process.env["FABRIC_HOME"] ? releases : releases.slice(-1);
  if (chosen.length === 0) {
    const missing = `no release of Fabric: set FABRIC_HOME, or unpack one below ${defaultReleases}`;
    if (recordingAnswers) throw new Error(`expected a real node to record, found ${missing}`);
    return [{ name: "Fabric", line: "3.1", missing }];
  }
  return chosen.map((release) => ({ name: release.version, line: release.line, release }));
}

/** Who builds and runs chaincode: a peer's Docker, or programs on this machine that take Node chaincode, too. */
export type Builders = "programs" | "docker";

const settings = {
  // Peers that met before one had joined the channel try again after this time; 25 s are usual.
  CORE_PEER_GOSSIP_RECONNECTINTERVAL: "1s",
};

/** Starts three orderers and two organizations' peers; the same variables and files in every column. */
export function startColumn(
  column: Column,
  builders: Builders = "programs",
  extra: Extra = {},
  peersOf?: readonly string[],
  environmentOf: (peerId: string) => Extra = () => ({}),
): Promise<Network> {
  const programsIn = async (directory: string): Promise<Programs> => {
    const programs = await programsOf(column, directory);
    const configuration = writeConfiguration(column, directory, builders);
    const environment = { ...settings, FABRIC_CFG_PATH: configuration, NODE: process.execPath, ...extra };
    return { ...programs, environment, environmentOf };
  };
  return startNetwork("etcdraft", programsIn, peersOf);
}

/** The commands of a column's nodes. */
export async function programsOf({ release }: Column, directory: string): Promise<Programs> {
  if (release === undefined) {
    return emulatorPrograms(directory);
  }
  const program = (name: string): string => join(release.home, "bin", name);
  return { orderer: [program("orderer")], peer: [program("peer"), "node", "start"] };
}

const nodeBuilder = {
  name: "node",
  path: join(import.meta.dirname, "../integration/core/fabric/node-builder"),
  propagateEnvironment: ["NODE", "PATH"],
};

/** The release's own files, with the external builders, which no variable can name. */
function writeConfiguration({ release }: Column, directory: string, builders: Builders): string {
  const folder = join(directory, "config");
  mkdirSync(folder, { recursive: true });
  const from = release && join(release.home, "config");
  if (from !== undefined) {
    cpSync(join(from, "orderer.yaml"), join(folder, "orderer.yaml"));
  }
  const service = {
    name: "ccaas_builder",
    path: release === undefined ? "/opt/hyperledger/ccaas_builder" : join(release.home, "builders/ccaas"),
    propagateEnvironment: ["CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG"],
  };
  const core = from !== undefined && existsSync(from) ? readSettings(join(from, "core.yaml")) : {};
  const externalBuilders = builders === "docker" ? [service] : [service, nodeBuilder];
  // A variable that is empty counts as not set: this one peers ask for their health.
  const vm = { ...core.vm, endpoint: "" };
  const written = { ...core, vm, chaincode: { ...core.chaincode, externalBuilders } };
  writeFileSync(join(folder, "core.yaml"), stringify(written));
  return folder;
}

interface CoreSettings {
  readonly vm?: object;
  readonly chaincode?: object;
}

const readSettings = (file: string): CoreSettings => parse(readFileSync(file, "utf8")) as CoreSettings;
