import type { ChaincodeState, FormerDefinition, PeerChaincode } from "../../../core/chaincode/daily/state.ts";
import type { LeftOut } from "../../../core/fabric/package/sieve.ts";
import { table } from "../../terminal/table.ts";

/** All chaincodes, one a line. */
export function chaincodesTable(states: readonly ChaincodeState[], width?: number): string {
  if (states.length === 0) return "no chaincode is committed on any channel\n";
  const rows = states.map((state) => [
    state.channel,
    state.name,
    state.version,
    String(state.sequence),
    state.policy,
    state.collections.map(({ name }) => name).join(",") || "-",
    approvedBy(state).join(",") || "-",
    state.peers.map((peer) => `${peer.peer}:${where(peer)}`).join(" ") || "-",
  ]);
  return table(
    ["channel", "name", "version", "sequence", "policy", "collections", "approved by", "peers"],
    rows,
    width,
  );
}

/** Everything about one. */
export function chaincodeDetails(state: ChaincodeState, former: readonly FormerDefinition[], width?: number): string {
  const facts = [
    ["channel", state.channel],
    ["version", state.version],
    ["sequence", String(state.sequence)],
    ["policy", state.policy],
    ["init required", state.initRequired ? "yes" : "no"],
    ["approved by", approvedBy(state).join(", ") || "-"],
    ["still to approve", missing(state).join(", ") || "-"],
  ];
  return [
    `${state.name}\n`,
    ...facts.map(([name = "", value]) => `  ${`${name}:`.padEnd(18)}${value}\n`),
    ...section("collections", collectionRows(state, width)),
    ...section("peers", peerRows(state, width)),
    ...section("former definitions (deploy-cc --rollback-to SEQUENCE)", formerRows(former, width)),
  ].join("");
}

const approvedBy = ({ approvals }: ChaincodeState): readonly string[] =>
  Object.keys(approvals)
    .filter((mspId) => approvals[mspId])
    .sort();

const missing = ({ approvals }: ChaincodeState): readonly string[] =>
  Object.keys(approvals)
    .filter((mspId) => !approvals[mspId])
    .sort();

/** In one word: how far the chaincode is at a peer. */
export function where({ problem, forbidden, packageId, installed, container, service }: PeerChaincode): string {
  if (forbidden) return "forbidden";
  if (problem !== undefined) return "unreachable";
  if (packageId === undefined) return "not-approved";
  if (!installed) return "not-installed";
  if (service) return service.ready ? "serving" : "not-serving";
  if (container === "unknown" || container === "none") return "installed";
  return container.state;
}

function section(title: string, rows: string): readonly string[] {
  return rows === "" ? [] : [`\n${title}\n`, rows];
}

function collectionRows({ collections }: ChaincodeState, width: number | undefined): string {
  if (collections.length === 0) return "";
  const rows = collections.map((it) => [
    it.name,
    it.policy,
    `${it.requiredPeerCount}-${it.maxPeerCount}`,
    it.blockToLive === 0 ? "never" : `after ${it.blockToLive} blocks`,
    `${it.memberOnlyRead ? "members" : "all"}/${it.memberOnlyWrite ? "members" : "all"}`,
    it.endorsementPolicy ?? "-",
  ]);
  return table(["name", "members", "peers", "purged", "read/write", "endorsement"], rows, width);
}

function peerRows({ peers }: ChaincodeState, width: number | undefined): string {
  const rows = peers.map((peer) => {
    const details = runs(peer);
    return [peer.peer, where(peer), peer.packageId ?? "-", ...(details.length > 0 ? details : [peer.problem ?? "-"])];
  });
  return table(["peer", "state", "package", "status", "runs in", "image"], rows, width);
}

/** Status, place and image. */
function runs({ container, service }: PeerChaincode): readonly string[] {
  if (service) return [service.status, `Deployment ${service.namespace}/${service.name}`, service.image];
  return typeof container === "string"
    ? []
    : [container.status, `container ${container.id.slice(0, 12)}`, container.image];
}

function formerRows(former: readonly FormerDefinition[], width: number | undefined): string {
  if (former.length === 0) return "";
  const rows = former.map((it) => [
    String(it.sequence),
    it.version,
    it.policy,
    it.collections.join(",") || "-",
    it.packageId ?? "-",
  ]);
  return table(["sequence", "version", "policy", "collections", "package"], rows, width);
}

/** A package as `packageTable` shows it. */
export interface PackageView {
  readonly id: string;
  readonly metadata: { readonly type: string; readonly path: string };
  readonly bytes: number;
  readonly files: readonly { readonly name: string; readonly size: number }[];
  /** Where it was written. */
  readonly file: string | undefined;
  /** What is not in it, where that is asked for. */
  readonly leftOut: readonly LeftOut[] | undefined;
  /** Files of dependencies one by one. */
  readonly all: boolean;
}

export function packageTable({ id, metadata, bytes, files, file, leftOut, all }: PackageView, width?: number): string {
  const lines = all ? files.map((each) => ({ ...each, count: 1 })) : grouped(files);
  const rows = lines.map(({ name, size, count }) => [count === 1 ? name : `${name} (${count} files)`, kibibytes(size)]);
  const path = metadata.path === "" ? "" : `, ${metadata.path}`;
  const written = file === undefined ? "" : `written to ${file}\n`;
  const total = `${files.length} files, package of ${kibibytes(bytes)}\n`;
  return `${id}\n${metadata.type}${path}\n\n${table(["file", "size"], rows, width)}\n${leftOutTable(leftOut, width)}${total}${written}`;
}

/** What is left out, and by what: a rule in the line of an ignore file, or one of packages (docs/packages.md). */
function leftOutTable(leftOut: readonly LeftOut[] | undefined, width?: number): string {
  if (leftOut === undefined) return "";
  const rows = leftOut.map(({ path, rule, file, line, why }) => {
    return [path, rule, file === undefined ? "-" : `${file}:${line}`, why];
  });
  return rows.length === 0 ? "nothing is left out\n" : `${table(["left out", "by", "line", "why"], rows, width)}\n`;
}

/** One line for each folder of dependencies: nobody reads 2,000 lines of them. */
function grouped(files: PackageView["files"]): readonly { name: string; size: number; count: number }[] {
  const groups = new Map<string, { name: string; size: number; count: number }>();
  for (const { name, size } of files) {
    const key = /^src\/(?:.*\/)?(?:node_modules\/(?:@[^/]+\/)?[^/]+|vendor\/[^/]+\/[^/]+)\//.exec(name)?.[0] ?? name;
    const before = groups.get(key);
    groups.set(key, { name: key, size: size + (before?.size ?? 0), count: 1 + (before?.count ?? 0) });
  }
  return [...groups.values()];
}

const kibibytes = (bytes: number): string => (bytes < 1024 ? `${bytes} B` : `${Math.ceil(bytes / 1024)} KiB`);
