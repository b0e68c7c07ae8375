import { common } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";
import type { ChannelConfig } from "./config.ts";
import { channelHeader, newNonce, payload, signatureHeader } from "../node/header.ts";
import type { SigningIdentity } from "../identity/signing-identity.ts";

/**
 * The update that turns one configuration into another: the read set with the present versions, and the write set with
 * the next ones (internal/configtxlator/update/update.go). Undefined when there is no difference.
 */
export function computeConfigUpdate(original: ChannelConfig, updated: ChannelConfig): common.ConfigUpdate | undefined {
  const [before, after] = [original.config.getChannelGroup(), updated.config.getChannelGroup()];
  if (!before || !after) throw new FabricError("internal", "expected configurations with groups, found none");
  const { read, write, changed } = groupUpdate(before, after);
  if (!changed) return undefined;
  const update = new common.ConfigUpdate();
  update.setChannelId(original.channel);
  update.setReadSet(read);
  update.setWriteSet(write);
  return update;
}

/** An organization's consent to an update (protoutil/commonutils.go; common/configtx/update.go checks it). */
export async function signConfigUpdate(
  update: common.ConfigUpdate,
  identity: SigningIdentity,
): Promise<common.ConfigSignature> {
  const header = signatureHeader(identity.creator, newNonce()).serializeBinary();
  const signature = new common.ConfigSignature();
  signature.setSignatureHeader(header);
  signature.setSignature(await identity.sign(Buffer.concat([header, update.serializeBinary()])));
  return signature;
}

/** The envelope to broadcast: the update and the organizations' signatures, signed by the sender. */
export async function configUpdateEnvelope(
  update: common.ConfigUpdate,
  signatures: readonly common.ConfigSignature[],
  sender: SigningIdentity,
): Promise<common.Envelope> {
  const signed = new common.ConfigUpdateEnvelope();
  signed.setConfigUpdate(update.serializeBinary());
  signed.setSignaturesList([...signatures]);
  const header = channelHeader({
    type: common.HeaderType.CONFIG_UPDATE,
    channel: update.getChannelId(),
    now: new Date(),
  });
  const bytes = payload(
    header,
    signatureHeader(sender.creator, newNonce()),
    signed.serializeBinary(),
  ).serializeBinary();
  const envelope = new common.Envelope();
  envelope.setPayload(bytes);
  envelope.setSignature(await sender.sign(bytes));
  return envelope;
}

/**
 * The policies that an update's signatures have to satisfy, as absolute paths, in order: the modification policy of every
 * changed element, from the present configuration (common/configtx/update.go, verifyDeltaSet). A new element adds none:
 * its group changes, and the group's policy counts.
 */
export function policiesToSatisfy({ config }: ChannelConfig, update: common.ConfigUpdate): readonly string[] {
  const policies = new Set<string>();
  const [current, read, write] = [config.getChannelGroup(), update.getReadSet(), update.getWriteSet()];
  if (current && write) collectPolicies({ current, read, write }, "/Channel", policies);
  return [...policies].sort();
}

interface ChangedGroup {
  readonly current: common.ConfigGroup;
  readonly read: common.ConfigGroup | undefined;
  readonly write: common.ConfigGroup;
}

function collectPolicies({ current, read, write }: ChangedGroup, path: string, policies: Set<string>): void {
  const add = (element: Pick<common.ConfigValue, "getModPolicy">) => {
    const policy = element.getModPolicy();
    policies.add(policy.startsWith("/") ? policy : `${path}/${policy}`);
  };
  if (write.getVersion() !== read?.getVersion()) add(current);
  for (const kind of ["getValuesMap", "getPoliciesMap"] as const) {
    for (const [key] of write[kind]().getEntryList()) {
      const before = current[kind]().get(key);
      const after = write[kind]().get(key);
      if (before && after?.getVersion() !== read?.[kind]().get(key)?.getVersion()) add(before);
    }
  }
  for (const [key] of write.getGroupsMap().getEntryList()) {
    const [before, after] = [current.getGroupsMap().get(key), write.getGroupsMap().get(key)];
    if (!before || !after) continue;
    collectPolicies({ current: before, read: read?.getGroupsMap().get(key), write: after }, `${path}/${key}`, policies);
  }
}

interface GroupUpdate {
  readonly read: common.ConfigGroup;
  readonly write: common.ConfigGroup;
  readonly changed: boolean;
}

/** Elements of one kind: changed and new ones, and unchanged ones with their version alone. */
interface ElementsUpdate<Element> {
  readonly read: ReadonlyMap<string, Element>;
  readonly write: ReadonlyMap<string, Element>;
  readonly same: ReadonlyMap<string, Element>;
  /** Something was added or removed: the group itself changes, and has to name all of its members. */
  readonly membersChanged: boolean;
}

function groupUpdate(original: common.ConfigGroup, updated: common.ConfigGroup): GroupUpdate {
  const values = elementsUpdate(original.getValuesMap(), updated.getValuesMap(), valueUpdate, newValue);
  const policies = elementsUpdate(original.getPoliciesMap(), updated.getPoliciesMap(), policyUpdate, newPolicy);
  const groups = elementsUpdate(original.getGroupsMap(), updated.getGroupsMap(), subgroupUpdate, newGroup);
  const parts = { values, policies, groups };
  const membersChanged =
    values.membersChanged ||
    policies.membersChanged ||
    groups.membersChanged ||
    original.getModPolicy() !== updated.getModPolicy();
  const changed = membersChanged || values.write.size + policies.write.size + groups.write.size > 0;
  const version = original.getVersion();
  const read = groupOf(version, parts, "read", membersChanged);
  const write = groupOf(membersChanged ? version + 1 : version, parts, "write", membersChanged);
  if (membersChanged) write.setModPolicy(updated.getModPolicy());
  return { read, write, changed };
}

interface GroupParts {
  readonly values: ElementsUpdate<common.ConfigValue>;
  readonly policies: ElementsUpdate<common.ConfigPolicy>;
  readonly groups: ElementsUpdate<common.ConfigGroup>;
}

function groupOf(
  version: number,
  { values, policies, groups }: GroupParts,
  set: "read" | "write",
  withSame: boolean,
): common.ConfigGroup {
  const group = new common.ConfigGroup();
  group.setVersion(version);
  const entries = <Element>(part: ElementsUpdate<Element>) => [...(withSame ? part.same : []), ...part[set]];
  for (const [key, value] of entries(values)) group.getValuesMap().set(key, value);
  for (const [key, policy] of entries(policies)) group.getPoliciesMap().set(key, policy);
  for (const [key, child] of entries(groups)) group.getGroupsMap().set(key, child);
  return group;
}

/** As much of google-protobuf's Map as this needs. */
interface Elements<Element> {
  get(key: string): Element | undefined;
  has(key: string): boolean;
  getEntryList(): [string, Element][];
}

/** The parts of an update for an element of the present configuration: only its version when it is the same. */
interface ElementUpdate<Element> {
  readonly read?: Element;
  readonly write?: Element;
  readonly same?: Element;
}

function elementsUpdate<Element>(
  original: Elements<Element>,
  updated: Elements<Element>,
  compare: (before: Element, after: Element) => ElementUpdate<Element>,
  create: (element: Element) => Element,
): ElementsUpdate<Element> {
  const read = new Map<string, Element>();
  const write = new Map<string, Element>();
  const same = new Map<string, Element>();
  let membersChanged = false;
  for (const [key] of original.getEntryList()) {
    const [before, after] = [original.get(key), updated.get(key)];
    if (before === undefined) continue;
    if (after === undefined) {
      membersChanged = true;
      continue;
    }
    const update = compare(before, after);
    if (update.read !== undefined) read.set(key, update.read);
    if (update.write !== undefined) write.set(key, update.write);
    if (update.same !== undefined) same.set(key, update.same);
  }
  for (const [key] of updated.getEntryList()) {
    const after = updated.get(key);
    if (original.has(key) || after === undefined) continue;
    membersChanged = true;
    write.set(key, create(after));
  }
  return { read, write, same, membersChanged };
}

function valueUpdate(before: common.ConfigValue, after: common.ConfigValue): ElementUpdate<common.ConfigValue> {
  if (before.getModPolicy() === after.getModPolicy() && equal(before.getValue_asU8(), after.getValue_asU8())) {
    const same = new common.ConfigValue();
    same.setVersion(before.getVersion());
    return { same };
  }
  return { write: withVersion(newValue(after), before.getVersion() + 1) };
}

function policyUpdate(before: common.ConfigPolicy, after: common.ConfigPolicy): ElementUpdate<common.ConfigPolicy> {
  const bytes = (policy: common.ConfigPolicy) => policy.getPolicy()?.serializeBinary() ?? new Uint8Array();
  if (before.getModPolicy() === after.getModPolicy() && equal(bytes(before), bytes(after))) {
    const same = new common.ConfigPolicy();
    same.setVersion(before.getVersion());
    return { same };
  }
  return { write: withVersion(newPolicy(after), before.getVersion() + 1) };
}

function subgroupUpdate(before: common.ConfigGroup, after: common.ConfigGroup): ElementUpdate<common.ConfigGroup> {
  const { read, write, changed } = groupUpdate(before, after);
  return changed ? { read, write } : { same: read };
}

function newValue(value: common.ConfigValue): common.ConfigValue {
  const copy = new common.ConfigValue();
  copy.setModPolicy(value.getModPolicy());
  copy.setValue(value.getValue_asU8());
  return copy;
}

function newPolicy(policy: common.ConfigPolicy): common.ConfigPolicy {
  const copy = new common.ConfigPolicy();
  copy.setModPolicy(policy.getModPolicy());
  copy.setPolicy(policy.getPolicy());
  return copy;
}

function newGroup(group: common.ConfigGroup): common.ConfigGroup {
  const { write } = groupUpdate(new common.ConfigGroup(), group);
  write.setModPolicy(group.getModPolicy());
  return withVersion(write, 0);
}

function withVersion<Element extends { setVersion(version: number): void }>(
  element: Element,
  version: number,
): Element {
  element.setVersion(version);
  return element;
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
