import { common } from "@hyperledger/fabric-protos";

/**
 * Fabric's side of a config update, without signatures: checks the read set, overlays what the write set changes, and
 * rebuilds the groups (common/configtx/update.go and configmap.go). Throws what Fabric would refuse.
 */
export function applyConfigUpdate(config: common.ConfigGroup, update: common.ConfigUpdate): common.ConfigGroup {
  const existing = flatten(config);
  const read = flatten(update.getReadSet() ?? new common.ConfigGroup());
  const write = flatten(update.getWriteSet() ?? new common.ConfigGroup());
  for (const [key, element] of read) {
    if (existing.get(key)?.getVersion() !== element.getVersion()) throw new Error(`read set: ${key}`);
  }
  const delta = [...write].filter(([key, element]) => read.get(key)?.getVersion() !== element.getVersion());
  if (delta.length === 0) throw new Error("delta set was empty");
  for (const [key, element] of delta) {
    const before = existing.get(key);
    if (element.getVersion() !== (before ? before.getVersion() + 1 : 0)) throw new Error(`version of ${key}`);
    if (element.getModPolicy() === "") throw new Error(`mod_policy of ${key}`);
  }
  const proposed = new Map([...existing, ...delta]);
  for (const key of write.keys()) if (!proposed.has(key)) throw new Error(`write set: ${key}`);
  return rebuild(proposed, "/Channel");
}

type Element = common.ConfigGroup | common.ConfigValue | common.ConfigPolicy;

function flatten(
  group: common.ConfigGroup,
  path = "/Channel",
  into = new Map<string, Element>(),
): Map<string, Element> {
  into.set(`group ${path}`, group);
  for (const key of keys(group.getGroupsMap()))
    flatten(required(group.getGroupsMap().get(key)), `${path}/${key}`, into);
  for (const key of keys(group.getValuesMap()))
    into.set(`value ${path}/${key}`, required(group.getValuesMap().get(key)));
  for (const key of keys(group.getPoliciesMap()))
    into.set(`policy ${path}/${key}`, required(group.getPoliciesMap().get(key)));
  return into;
}

function rebuild(elements: ReadonlyMap<string, Element>, path: string): common.ConfigGroup {
  const before = required(elements.get(`group ${path}`)) as common.ConfigGroup;
  const group = new common.ConfigGroup();
  group.setVersion(before.getVersion());
  group.setModPolicy(before.getModPolicy());
  for (const key of keys(before.getGroupsMap())) group.getGroupsMap().set(key, rebuild(elements, `${path}/${key}`));
  for (const key of keys(before.getValuesMap())) {
    group.getValuesMap().set(key, required(elements.get(`value ${path}/${key}`)) as common.ConfigValue);
  }
  for (const key of keys(before.getPoliciesMap())) {
    group.getPoliciesMap().set(key, required(elements.get(`policy ${path}/${key}`)) as common.ConfigPolicy);
  }
  return group;
}

function keys(map: { getEntryList(): [string, unknown][] }): readonly string[] {
  return map.getEntryList().map(([key]) => key);
}

function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("missing element");
  return value;
}
