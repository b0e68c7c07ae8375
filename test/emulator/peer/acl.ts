import type { ChannelConfig } from "../channel/channel-config.ts";
import { messageOf } from "../log.ts";
import { MspManager, type Msp } from "../msp/msp.ts";
import { validIdentities, type SignedData } from "../policy/policy.ts";

/** What a caller must be for what no channel is asked about (core/aclmgmt/defaultaclprovider.go). */
const localRoles: Readonly<Record<string, "Admins" | "Members">> = {
  "_lifecycle/InstallChaincode": "Admins",
  "_lifecycle/QueryInstalledChaincode": "Admins",
  "_lifecycle/GetInstalledChaincodePackage": "Admins",
  "_lifecycle/QueryInstalledChaincodes": "Admins",
  "_lifecycle/ApproveChaincodeDefinitionForMyOrg": "Admins",
  "_lifecycle/QueryApprovedChaincodeDefinition": "Admins",
  "_lifecycle/QueryApprovedChaincodeDefinitions": "Admins",
  "cscc/JoinChain": "Admins",
  "cscc/GetChannels": "Members",
};

const writers = "/Channel/Application/Writers";
const readers = "/Channel/Application/Readers";

const channelPolicies: Readonly<Record<string, string>> = {
  "_lifecycle/CommitChaincodeDefinition": writers,
  "_lifecycle/QueryChaincodeDefinition": writers,
  "_lifecycle/QueryChaincodeDefinitions": writers,
  "_lifecycle/CheckCommitReadiness": writers,
  "qscc/GetChainInfo": readers,
  "qscc/GetBlockByNumber": readers,
  "qscc/GetTransactionByID": readers,
  "cscc/GetConfigBlock": readers,
  "peer/Propose": writers,
  "peer/ChaincodeToChaincode": writers,
  "event/Block": readers,
  "event/FilteredBlock": readers,
  "gateway/CommitStatus": readers,
  "gateway/ChaincodeEvents": readers,
};

/** Who may do what at this peer. */
export class Acl {
  readonly #local: Msp;
  readonly #localManager: MspManager;

  constructor(local: Msp) {
    this.#local = local;
    this.#localManager = new MspManager([local]);
  }

  /** Throws Fabric's text (core/policy/policy.go) when the signer may not use the resource. */
  check(resource: string, channel: ChannelConfig | undefined, signed: SignedData): void {
    const role = localRoles[resource];
    if (role !== undefined) {
      this.#checkLocal(role, signed);
      return;
    }
    const policyName = channel?.aclOf(resource) ?? channelPolicies[resource];
    if (policyName === undefined) {
      throw new Error(`Unmapped policy for ${resource}`);
    }
    if (channel === undefined) {
      throw new Error("Failed to get policy manager for channel []");
    }
    checkChannelPolicy(policyName, channel, signed);
  }

  #checkLocal(role: "Admins" | "Members", signed: SignedData): void {
    try {
      const identity = this.#localManager.deserialize(signed.identity);
      this.#local.checkRole(identity, role === "Admins" ? "admin" : "member");
    } catch (error) {
      throw new Error(
        `Failed verifying that proposal's creator satisfies local MSP principal during channelless check policy with policy [${role}]: [${messageOf(error)}]`,
        { cause: error },
      );
    }
    this.#localManager.verify(this.#localManager.deserialize(signed.identity), signed.data, signed.signature);
  }
}

function checkChannelPolicy(policyName: string, channel: ChannelConfig, signed: SignedData): void {
  try {
    const policy = channel.policies.policy(policyName);
    if (policy === undefined) {
      throw new Error(`no such policy: '${policyName}'`);
    }
    policy.evaluate(validIdentities([signed], channel.msps));
  } catch (error) {
    throw new Error(
      `Failed evaluating policy on signed data during check policy on channel [${channel.channelId}] with policy [${policyName}]: [${messageOf(error)}]`,
      { cause: error },
    );
  }
}
