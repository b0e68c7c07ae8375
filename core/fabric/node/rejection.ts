import { answers, says } from "./answers.ts";
import type { Remedy } from "../../remedy.ts";

/** A hint for refusals that say little; undefined for all others. */
export function rejectionHint(message: string): Remedy | undefined {
  if (says(message, answers.accessDenied, answers.policyUnsatisfied)) {
    return "this needs another identity: an administrator of the node's own organization, or a member of the channel";
  }
  if (says(message, answers.identityExpired)) {
    return ["a certificate has expired: ", { operation: "status" }, " shows how long each node's are good"];
  }
  return undefined;
}
