import { common } from "@hyperledger/fabric-protos";
import type { MspManager } from "../msp/msp.ts";
import { validIdentities, type Policy, type SignedData } from "../policy/policy.ts";
import type { PolicyManager } from "../policy/policy-manager.ts";
import { checkConfigId, mapConfig, toConfigGroup, type ConfigElement, type ConfigMap } from "./config-map.ts";

/** What a configuration update is judged by. */
export interface ConfigUpdateContext {
  readonly channelId: string;
  readonly config: common.Config;
  readonly policies: PolicyManager;
  readonly msps: MspManager;
}

const root = "Channel";

/** The configuration that the update leads to; throws Fabric's text when it may not (common/configtx/update.go). */
export function applyConfigUpdate(context: ConfigUpdateContext, envelope: common.ConfigUpdateEnvelope): common.Config {
  const update = common.ConfigUpdate.deserializeBinary(envelope.getConfigUpdate_asU8());
  if (update.getChannelId() !== context.channelId) {
    throw new Error(
      `ConfigUpdate for channel '${update.getChannelId()}' but envelope for channel '${context.channelId}'`,
    );
  }
  const current = mapConfig(context.config.getChannelGroup(), root);
  const readSet = mapConfig(update.getReadSet(), root);
  checkReadSet(current, readSet);
  const writeSet = mapConfig(update.getWriteSet(), root);
  const delta = deltaOf(readSet, writeSet);
  checkDelta(context, current, delta, signaturesOf(envelope));
  const proposed: ConfigMap = new Map([...current, ...delta]);
  for (const key of writeSet.keys()) {
    if (!proposed.has(key)) {
      throw new Error(
        `full config did not verify: writeset contained key ${key} which did not appear in proposed config`,
      );
    }
  }
  const config = new common.Config();
  config.setSequence(context.config.getSequence() + 1);
  config.setChannelGroup(toConfigGroup(proposed, `/${root}`));
  return config;
}

function checkReadSet(current: ConfigMap, readSet: ConfigMap): void {
  for (const [key, { version }] of readSet) {
    const existing = current.get(key);
    if (existing === undefined) {
      throw new Error(
        `error validating ReadSet: existing config does not contain element for ${key} but was in the read set`,
      );
    }
    if (existing.version !== version) {
      throw new Error(
        `error validating ReadSet: proposed update requires that key ${key} be at version ${version}, but it is currently at version ${existing.version}`,
      );
    }
  }
}

function deltaOf(readSet: ConfigMap, writeSet: ConfigMap): ConfigMap {
  return new Map([...writeSet].filter(([key, element]) => readSet.get(key)?.version !== element.version));
}

function checkDelta(
  context: ConfigUpdateContext,
  current: ConfigMap,
  delta: ConfigMap,
  signed: readonly SignedData[],
): void {
  if (delta.size === 0) {
    throw new Error("error validating DeltaSet: delta set was empty -- update would have no effect");
  }
  const identities = validIdentities(signed, context.msps);
  for (const [key, element] of delta) {
    checkModPolicy(key, element.modPolicy);
    const existing = current.get(key);
    if (existing === undefined) {
      if (element.version !== 0) {
        throw new Error(
          `error validating DeltaSet: attempted to set key ${key} to version ${element.version}, but key does not exist`,
        );
      }
      continue;
    }
    if (element.version !== existing.version + 1) {
      throw new Error(
        `error validating DeltaSet: attempt to set key ${key} to version ${element.version}, but key is at version ${existing.version}`,
      );
    }
    const policy = policyOf(context.policies, existing);
    if (policy === undefined) {
      throw new Error(`error validating DeltaSet: unexpected missing policy ${existing.modPolicy} for item ${key}`);
    }
    try {
      policy.evaluate(identities);
    } catch (error) {
      throw new Error(`error validating DeltaSet: policy for ${key} not satisfied: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}

function checkModPolicy(key: string, modPolicy: string): void {
  const context = `error validating DeltaSet: invalid mod_policy for element ${key}: `;
  if (modPolicy === "") {
    throw new Error(`${context}mod_policy not set`);
  }
  modPolicy
    .replace(/^\//, "")
    .split("/")
    .forEach((part, index) => checkConfigId(part, `${context}path element at ${index} is invalid: `));
}

/** A relative mod_policy is looked up in the element's own group, or for a group in the group itself. */
function policyOf(policies: PolicyManager, element: ConfigElement): Policy | undefined {
  if (element.modPolicy.startsWith("/") || element.path.length === 0) {
    return policies.policy(element.modPolicy);
  }
  const path = element.kind === "Group" ? [...element.path, element.key] : element.path;
  return policies.group(path.slice(1))?.policy(element.modPolicy);
}

/** Each signer of the update signs its own header followed by the update (protoutil/signeddata.go). */
function signaturesOf(envelope: common.ConfigUpdateEnvelope): readonly SignedData[] {
  return envelope.getSignaturesList().map((signature) => ({
    data: Buffer.concat([signature.getSignatureHeader_asU8(), envelope.getConfigUpdate_asU8()]),
    identity: common.SignatureHeader.deserializeBinary(signature.getSignatureHeader_asU8()).getCreator_asU8(),
    signature: signature.getSignature_asU8(),
  }));
}
