import { common } from "@hyperledger/fabric-protos";
import type { MspManager } from "../msp/msp.ts";
import { newImplicitMetaPolicy, newSignaturePolicy, type Policy } from "./policy.ts";

/** The policies of one group of a channel configuration and, below it, of its groups (common/policies/policy.go). */
export class PolicyManager {
  readonly #path: string;
  readonly #groups: ReadonlyMap<string, PolicyManager>;
  readonly #policies: ReadonlyMap<string, Policy>;

  constructor(path: string, group: common.ConfigGroup, msps: MspManager) {
    this.#path = path;
    this.#groups = new Map(
      entries(group.getGroupsMap()).map(([name, inner]) => [name, new PolicyManager(`${path}/${name}`, inner, msps)]),
    );
    this.#policies = new Map(
      entries(group.getPoliciesMap()).map(([name, policy]) => [name, this.#compile(name, policy, msps)]),
    );
  }

  /** By a path from the root (`/Channel/Application/Writers`) or a name relative to this group (`Org1MSP/Admins`). */
  policy(id: string): Policy | undefined {
    if (id.startsWith("/")) {
      const prefix = `${this.#path}/`;
      return id.startsWith(prefix) ? this.policy(id.slice(prefix.length)) : undefined;
    }
    const [first, ...rest] = id.split("/");
    return rest.length === 0 ? this.#policies.get(first ?? "") : this.#groups.get(first ?? "")?.policy(rest.join("/"));
  }

  /** The manager of a group further down. */
  group(path: readonly string[]): PolicyManager | undefined {
    const [first, ...rest] = path;
    return first === undefined ? this : this.#groups.get(first)?.group(rest);
  }

  #compile(name: string, configPolicy: common.ConfigPolicy, msps: MspManager): Policy {
    const policy = configPolicy.getPolicy();
    switch (policy?.getType()) {
      case undefined:
        throw new Error(`policy ${name} at path ${this.#path} was nil`);
      case common.Policy.PolicyType.IMPLICIT_META: {
        const definition = common.ImplicitMetaPolicy.deserializeBinary(policy?.getValue_asU8() ?? new Uint8Array());
        const subPolicies = [...this.#groups.values()].map((group) => group.policy(definition.getSubPolicy()));
        return newImplicitMetaPolicy(definition, subPolicies);
      }
      case common.Policy.PolicyType.SIGNATURE:
        return newSignaturePolicy(
          common.SignaturePolicyEnvelope.deserializeBinary(policy?.getValue_asU8() ?? new Uint8Array()),
          msps,
        );
      default:
        throw new Error(`policy ${name} at path ${this.#path} has unknown policy type: ${policy?.getType()}`);
    }
  }
}

function entries<T>(map: { forEach(callback: (value: T, key: string) => void): void }): readonly [string, T][] {
  const found: [string, T][] = [];
  map.forEach((value, key) => found.push([key, value]));
  return found;
}
