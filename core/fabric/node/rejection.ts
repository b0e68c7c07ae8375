import { answers, says } from "./answers.ts";

/** A hint for refusals whose message says little; undefined for others. */
export function rejectionHint(message: string): string | undefined {
  if (says(message, answers.accessDenied, answers.policyUnsatisfied)) {
    return "this needs another identity: an administrator of the node's own organization, or a member of the channel";
  }
  if (says(message, answers.identityExpired)) {
    return "a certificate has expired: kubectl fabric status shows how long each node's are good";
  }
  return undefined;
}
