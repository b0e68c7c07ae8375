/** What helps, for refusals that say little (core/policy, msp/mspimplvalidate.go). */
export function rejectionHint(message: string): string | undefined {
  if (/access denied|creator (org|is)|implicit policy evaluation failed|does not satisfy/i.test(message)) {
    return "this needs another identity: an administrator of the node's own organization, or a member of the channel";
  }
  if (/certificate has expired|expired|not yet valid/i.test(message)) {
    return "a certificate has expired: kubectl fabric status shows how long each node's are good";
  }
  return undefined;
}
