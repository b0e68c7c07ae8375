import { common } from "@hyperledger/fabric-protos";

/** One element of a channel configuration with its place in it (common/configtx/compare.go). */
export interface ConfigElement {
  readonly kind: "Group" | "Value" | "Policy";
  readonly key: string;
  /** The names of the groups above it, from the root. */
  readonly path: readonly string[];
  readonly version: number;
  readonly modPolicy: string;
  readonly item: common.ConfigGroup | common.ConfigValue | common.ConfigPolicy;
}

export type ConfigMap = ReadonlyMap<string, ConfigElement>;

const prefixes = { Group: "[Group]  ", Value: "[Value]  ", Policy: "[Policy] " } as const;

/** Every element by its full path, such as `[Value]  /Channel/Orderer/BatchSize` (common/configtx/configmap.go). */
export function mapConfig(root: common.ConfigGroup | undefined, rootName: string): ConfigMap {
  const found = new Map<string, ConfigElement>();
  if (root !== undefined) {
    addGroup(found, rootName, [], root);
  }
  return found;
}

/** The configuration tree that a map describes; an element that a group names must be there. */
export function toConfigGroup(map: ConfigMap, path: string): common.ConfigGroup {
  const element = itemAt(map, "Group", path) as common.ConfigGroup;
  const group = new common.ConfigGroup();
  group.setVersion(element.getVersion());
  group.setModPolicy(element.getModPolicy());
  element.getGroupsMap().forEach((_, key) => group.getGroupsMap().set(key, toConfigGroup(map, `${path}/${key}`)));
  element.getValuesMap().forEach((_, key) => {
    group.getValuesMap().set(key, (itemAt(map, "Value", `${path}/${key}`) as common.ConfigValue).clone());
  });
  element.getPoliciesMap().forEach((_, key) => {
    group.getPoliciesMap().set(key, (itemAt(map, "Policy", `${path}/${key}`) as common.ConfigPolicy).clone());
  });
  return group;
}

function itemAt(map: ConfigMap, kind: ConfigElement["kind"], path: string): ConfigElement["item"] {
  const element = map.get(prefixes[kind] + path);
  if (element === undefined) {
    throw new Error(`missing ${kind.toLowerCase()} at path: ${prefixes[kind]}${path}`);
  }
  return element.item;
}

function addGroup(
  found: Map<string, ConfigElement>,
  key: string,
  path: readonly string[],
  group: common.ConfigGroup,
): void {
  add(found, "Group", key, path, group);
  const inner = [...path, key];
  group.getGroupsMap().forEach((item, name) => addGroup(found, name, inner, item));
  group.getValuesMap().forEach((item, name) => add(found, "Value", name, inner, item));
  group.getPoliciesMap().forEach((item, name) => add(found, "Policy", name, inner, item));
}

function add(
  found: Map<string, ConfigElement>,
  kind: ConfigElement["kind"],
  key: string,
  path: readonly string[],
  item: ConfigElement["item"],
): void {
  checkConfigId(key, `illegal characters in key: ${prefixes[kind]}: `);
  found.set(`${prefixes[kind]}/${[...path, key].join("/")}`, {
    kind,
    key,
    path,
    version: item.getVersion(),
    modPolicy: item.getModPolicy(),
    item,
  });
}

const maxLength = 249;

/** common/configtx/validator.go. */
export function checkConfigId(id: string, context = ""): void {
  if (id.length === 0) {
    throw new Error(`${context}config ID illegal, cannot be empty`);
  }
  if (id.length > maxLength) {
    throw new Error(`${context}config ID illegal, cannot be longer than ${maxLength}`);
  }
  if (id === "." || id === "..") {
    throw new Error(`${context}name '${id}' for config ID is not allowed`);
  }
  if (!/^[a-zA-Z0-9.-]+$/.test(id)) {
    throw new Error(`${context}config ID '${id}' contains illegal characters`);
  }
}

/** common/configtx/validator.go. */
export function checkChannelId(id: string): void {
  if (id.length === 0) {
    throw new Error("channel ID illegal, cannot be empty");
  }
  if (id.length > maxLength) {
    throw new Error(`channel ID illegal, cannot be longer than ${maxLength}`);
  }
  if (!/^[a-z][a-z0-9.-]*$/.test(id)) {
    throw new Error(`'${id}' contains illegal characters`);
  }
}
