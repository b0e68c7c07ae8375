import { common } from "@hyperledger/fabric-protos";
import type { Identity, MspManager } from "../msp/msp.ts";

/** Something signed by somebody. */
export interface SignedData {
  readonly data: Uint8Array;
  /** A serialized identity. */
  readonly identity: Uint8Array;
  readonly signature: Uint8Array;
}

export interface Policy {
  /** Throws, with Fabric's text, when these identities do not satisfy the policy. */
  evaluate(identities: readonly Identity[]): void;
}

/** The identities whose signatures verify, each once (common/policies/policy.go SignatureSetToValidIdentities). */
export function validIdentities(signed: readonly SignedData[], msps: MspManager): readonly Identity[] {
  const found = new Map<string, Identity>();
  for (const { data, identity: bytes, signature } of signed) {
    try {
      const identity = msps.deserialize(bytes);
      const key = `${identity.mspId} ${identity.certificate.fingerprint256}`;
      if (!found.has(key)) {
        msps.verify(identity, data, signature);
        found.set(key, identity);
      }
    } catch {
      // An unknown identity or a bad signature counts for nothing.
    }
  }
  return [...found.values()];
}

/** A policy over principals: N of rules, each a principal or again N of rules (common/cauthdsl/cauthdsl.go). */
export function newSignaturePolicy(envelope: common.SignaturePolicyEnvelope, msps: MspManager): Policy {
  const rule = envelope.getRule();
  if (rule === undefined) {
    throw new Error("Empty policy element");
  }
  const principals = envelope.getIdentitiesList();
  // A principal is satisfied by an identity that no other rule has used: evaluation marks identities as used,
  // and a gate that fails gives its marks back.
  const satisfied = (part: common.SignaturePolicy, identities: readonly Identity[], used: Set<number>): boolean => {
    const gate = part.getNOutOf();
    if (gate === undefined) {
      const principal = principals[part.getSignedBy()];
      const index = identities.findIndex(
        (identity, i) => !used.has(i) && principal !== undefined && msps.satisfies(identity, principal),
      );
      return index >= 0 && used.add(index) !== undefined;
    }
    let verified = 0;
    for (const inner of gate.getRulesList()) {
      const attempt = new Set(used);
      if (satisfied(inner, identities, attempt)) {
        verified++;
        attempt.forEach((index) => used.add(index));
      }
    }
    return verified >= gate.getN();
  };
  return {
    evaluate(identities) {
      if (!satisfied(rule, identities, new Set())) {
        throw new Error("signature set did not satisfy policy");
      }
    },
  };
}

/** A policy over the policies of the same name one level below (common/policies/implicitmeta.go). */
export function newImplicitMetaPolicy(
  definition: common.ImplicitMetaPolicy,
  subPolicies: readonly (Policy | undefined)[],
): Policy {
  const threshold = thresholdOf(definition.getRule(), subPolicies.length);
  return {
    evaluate(identities) {
      const satisfied = subPolicies.filter((policy) => policy !== undefined && satisfies(policy, identities)).length;
      if (satisfied < threshold) {
        throw new Error(
          `implicit policy evaluation failed - ${satisfied} sub-policies were satisfied, but this policy requires ${threshold} of the '${definition.getSubPolicy()}' sub-policies to be satisfied`,
        );
      }
    },
  };
}

export function satisfies(policy: Policy, identities: readonly Identity[]): boolean {
  try {
    policy.evaluate(identities);
    return true;
  } catch {
    return false;
  }
}

function thresholdOf(rule: number, count: number): number {
  if (count === 0) {
    return 0;
  }
  switch (rule) {
    case common.ImplicitMetaPolicy.Rule.ANY:
      return 1;
    case common.ImplicitMetaPolicy.Rule.ALL:
      return count;
    default:
      return Math.floor(count / 2) + 1;
  }
}
