import type { NetworkStatus } from "../network/status.ts";
import { byReason } from "../steps/reasons.ts";
import { table } from "../terminal/table.ts";

export function statusTable({ network, fabricVersion, nodes }: NetworkStatus, width?: number): string {
  const rows = nodes.map((node) => [
    node.organization,
    node.name,
    node.ready ? "yes" : "no",
    node.channels.map(({ name, height }) => `${name}:${height}`).join(",") || "-",
    node.channels.flatMap(({ chaincodes }) => chaincodes).join(", ") || "-",
    node.certificateDaysLeft === undefined ? "?" : `${node.certificateDaysLeft} days`,
  ]);
  const problems = byReason(
    nodes.flatMap(({ name, namespace, problem }) =>
      problem === undefined ? [] : [{ about: `${name}.${namespace}`, reason: problem }],
    ),
  ).map(({ about, reason }) => `${about.join(", ")}: ${reason}\n`);
  const headings = ["organization", "node", "ready", "channels (blocks)", "chaincode", "certificates"];
  return `network ${network}, Fabric ${fabricVersion}\n${table(headings, rows, width)}${problems.join("")}`;
}
