import type { NetworkStatus } from "../../core/network/operations/status.ts";
import { byReason } from "../../core/engine/reasons.ts";
import { table } from "../terminal/table.ts";

export function statusTable({ network, fabricVersion, upToDate, nodes }: NetworkStatus, width?: number): string {
  const rows = nodes.map((node) => [
    node.organization,
    node.name,
    node.forbidden ? "?" : node.ready ? "yes" : "no",
    node.image === undefined ? "-" : tagOf(node.image),
    node.channels.map(({ name, height }) => `${name}:${height}`).join(",") || "-",
    chaincodesOf(node) || "-",
    node.certificateDaysLeft === undefined ? "?" : `${node.certificateDaysLeft} days`,
  ]);
  const problems = byReason(
    nodes.flatMap(({ name, namespace, problem }) =>
      problem === undefined ? [] : [{ about: `${name}.${namespace}`, reason: problem }],
    ),
  ).map(({ about, reason }) => `${about.join(", ")}: ${reason}\n`);
  const headings = ["organization", "node", "ready", "version", "channels (blocks)", "chaincode", "certificates"];
  const others = byReason(
    nodes.flatMap(({ name, namespace, image, wantedImage }) =>
      image === undefined || wantedImage === undefined
        ? []
        : [{ about: `${name}.${namespace}`, reason: `expected to run ${wantedImage}, found ${image}` }],
    ),
  ).map(({ about, reason }) => `${about.join(", ")}: ${reason}\n`);
  const wanted = upToDate ? "" : "; not every node runs what is wanted";
  const told = [...problems, ...others].join("");
  return `network ${network}, Fabric ${fabricVersion}${wanted}\n${table(headings, rows, width)}${told}`;
}

/** With the channel, where there are several. */
function chaincodesOf({ channels }: NetworkStatus["nodes"][number]): string {
  return channels
    .flatMap(({ name, chaincodes }) => chaincodes.map((each) => (channels.length > 1 ? `${name}: ${each}` : each)))
    .join(", ");
}

/** Of an image: its tag, or all of it where it has none. */
function tagOf(image: string): string {
  return /:([\w][\w.-]*)$/.exec(image)?.[1] ?? image;
}
