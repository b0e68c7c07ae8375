import { common } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";

const rules = common.ImplicitMetaPolicy.Rule;

/** "ANY Readers", "MAJORITY Admins": how many of the groups below have to satisfy their policy of that name. */
export type ImplicitMetaRule = `${"ANY" | "ALL" | "MAJORITY"} ${string}`;

export function implicitMetaPolicy(text: ImplicitMetaRule): common.Policy {
  const [rule, subPolicy, ...rest] = text.split(" ");
  if ((rule !== "ANY" && rule !== "ALL" && rule !== "MAJORITY") || !subPolicy || rest.length > 0) {
    throw new FabricError("usage", `expected ANY, ALL or MAJORITY and the name of a policy, found "${text}"`);
  }
  const meta = new common.ImplicitMetaPolicy();
  meta.setRule(rules[rule]);
  meta.setSubPolicy(subPolicy);
  const policy = new common.Policy();
  policy.setType(common.Policy.PolicyType.IMPLICIT_META);
  policy.setValue(meta.serializeBinary());
  return policy;
}
