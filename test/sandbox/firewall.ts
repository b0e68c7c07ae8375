import { cluster } from "./cluster.ts";

/** Chains that kube-proxy and the CNI plugins make. */
const ownChain = /^(KUBE-|CNI-)/;

/** Marks the rules that the sandbox itself adds to other people's chains. */
const ruleComment = "kubectl-fabric-sandbox";

/**
 * What to give `iptables-restore --noflush` so that, of a table dump by `iptables-save`, nothing of ours stays
 * and everything else does. Empty when nothing of ours is there.
 */
export function firewallRemoval(dump: string): string {
  return dump
    .split(/^(?=\*)/m)
    .filter((table) => table.startsWith("*"))
    .map(tableRemoval)
    .join("");
}

function tableRemoval(table: string): string {
  const lines = table.split("\n");
  const chains = lines.map((line) => /^:(\S+)/.exec(line)?.[1] ?? "").filter((name) => ownChain.test(name));
  const jumps = lines.filter((line) => isOurRuleElsewhere(line)).map((line) => line.replace(/^-A/, "-D"));
  if (chains.length === 0 && jumps.length === 0) return "";
  // A chain can only be deleted when no rule refers to it: flush all, then delete all.
  const flushes = chains.map((chain) => `-F ${chain}`);
  const deletions = chains.map((chain) => `-X ${chain}`);
  return [lines[0], ...jumps, ...flushes, ...deletions, "COMMIT", ""].join("\n");
}

function isOurRuleElsewhere(line: string): boolean {
  const [, chain = "", rest = ""] = /^-A (\S+) (.*)$/.exec(line) ?? [];
  if (chain === "" || ownChain.test(chain)) return false;
  return /-[jg] (KUBE-|CNI-)/.test(rest) || rest.includes(ruleComment);
}

/**
 * Rules that let Pods' traffic through where the machine's own firewall (Docker, ufw) drops what it does not
 * know, of a dump of the filter table. Empty when there is nothing to do.
 */
export function admissionRules(dump: string): readonly (readonly string[])[] {
  if (dump.includes(ruleComment)) return [];
  const drops = (chain: string) => new RegExp(`^:${chain} DROP`, "m").test(dump);
  const rule = (chain: string, direction: string) =>
    ["-I", chain, direction, cluster.pods, "-m", "comment", "--comment", ruleComment, "-j", "ACCEPT"] as const;
  return [
    ...(drops("FORWARD") ? [rule("FORWARD", "-s"), rule("FORWARD", "-d")] : []),
    ...(drops("INPUT") ? [rule("INPUT", "-s")] : []),
  ];
}

/** nft tables without any rule in them, of `nft -j list ruleset`. */
export function emptyTables(ruleset: string): readonly string[] {
  const { nftables = [] } = JSON.parse(ruleset) as { nftables?: readonly NftObject[] };
  const used = new Set(nftables.flatMap(({ rule }) => (rule ? [`${rule.family} ${rule.table}`] : [])));
  return nftTables(ruleset).filter((table) => !used.has(table));
}

export function nftTables(ruleset: string): readonly string[] {
  const { nftables = [] } = JSON.parse(ruleset) as { nftables?: readonly NftObject[] };
  return nftables.flatMap(({ table }) => (table ? [`${table.family} ${table.name}`] : []));
}

interface NftObject {
  readonly table?: { readonly family: string; readonly name: string };
  readonly rule?: { readonly family: string; readonly table: string };
}
