import type { BroughtImage } from "../../core/chaincode/daily/seed-plan.ts";
import type { Provision } from "../../core/chaincode/seed/seeding.ts";
import { inOrder } from "../../core/orphans/judgement/order.ts";
import { shortName } from "../../core/orphans/removal-steps.ts";
import { table } from "../terminal/table.ts";
import { formatBytes } from "./cleanup/table.ts";
import { conclusion, type PlansReport } from "./plan-run.ts";

/** What each peer got, and how much was sent in all. */
export function seedTable(report: PlansReport, brought: readonly BroughtImage[], width?: number): string {
  if (brought.length === 0) return conclusion(report, undefined);
  const sorted = inOrder(
    brought,
    ({ peer }) => peer,
    ({ packageId }) => packageId,
  );
  const rows = sorted.map(({ peer, packageId, provision }) => [
    peer,
    shortName(packageId),
    ways[provision.how](provision),
    sentOf(provision),
  ]);
  const total = formatBytes(brought.reduce((sum, { provision }) => sum + bytesOf(provision), 0));
  return `${table(["peer", "package", "its image", "sent"], rows, width)}${total} sent\n${conclusion(report, undefined)}`;
}

const ways: Readonly<Record<Provision["how"], (provision: Provision) => string>> = {
  present: () => "was there; the package was not",
  composed: () => "made of the package",
  copied: (provision) => `from ${provision.how === "copied" ? provision.from : ""}`,
  prebuilt: () => "built in its daemon",
  built: () => "built by the peer",
  left: () => "no daemon has it: the next call builds it",
};

const bytesOf = (provision: Provision): number => ("bytes" in provision ? provision.bytes : 0);
const sentOf = (provision: Provision): string => ("bytes" in provision ? formatBytes(provision.bytes) : "-");
