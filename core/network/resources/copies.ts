import { isDeepStrictEqual } from "node:util";
import { createTwoFilesPatch } from "diff";
import { stringify } from "yaml";
import { FabricError, messageOf } from "../../error.ts";
import type { V1ConfigMap } from "../../kubernetes/client-node.ts";
import { hasLabels, managedBy } from "../../kubernetes/ownership.ts";
import { networkLabel, organizationLabels } from "./labels.ts";
import { networkConfigMapKey, networkConfigMapName } from "./namespace.ts";
import { parseYaml } from "./spec-file.ts";
import { organizations, parseNetwork, type FabricNetwork } from "./spec.ts";

/** The copy of a network's definition in the namespace of one of its organizations. */
export interface Copy {
  readonly namespace: string;
  readonly definition: FabricNetwork;
}

/** Networks by name, each with its valid copies; and a sentence about each ignored one. */
export interface Copies {
  readonly networks: ReadonlyMap<string, readonly Copy[]>;
  readonly passedOver: readonly string[];
  /** Networks with a copy that cannot be read, perhaps one of a later version. */
  readonly unread: ReadonlySet<string>;
}

type Labels = Readonly<Record<string, string>>;

/**
 * Every user of a namespace can write such a ConfigMap. So a copy counts only when its network has an organization in this namespace, and
 * the labels of the namespace, which its users cannot change, say the same. A copy that cannot be read is ignored: it must not stop
 * commands about other networks. `labels` gives a namespace's labels; "unseen" when the user may not read them, "believed" when the copy
 * counts without them. Pure.
 */
export function countedCopies(
  configMaps: readonly V1ConfigMap[],
  labels: (namespace: string) => Labels | "unseen" | "believed",
): Copies {
  const networks = new Map<string, Copy[]>();
  const passedOver: string[] = [];
  const unread = new Set<string>();
  for (const { metadata, data } of configMaps) {
    const namespace = metadata?.namespace ?? "";
    const source = `ConfigMap ${namespace}/${networkConfigMapName}`;
    try {
      const definition = parseNetwork(parseYaml(data?.[networkConfigMapKey] ?? "", source), source);
      const stranger = whyNotCounted(definition, namespace, labels(namespace));
      const { name } = definition.metadata;
      if (stranger === undefined) networks.set(name, [...(networks.get(name) ?? []), { namespace, definition }]);
      else passedOver.push(`${source} is passed over: ${stranger}`);
    } catch (error) {
      if (!(error instanceof FabricError)) throw error;
      passedOver.push(`${brief(messageOf(error))}; it is passed over`);
      const said = labels(namespace);
      const own = said === "believed" ? metadata?.labels : said === "unseen" ? undefined : said;
      const network = hasLabels({ metadata: { labels: own } }, managedBy) ? own?.[networkLabel] : undefined;
      if (network !== undefined) unread.add(network);
    }
  }
  return { networks, passedOver, unread };
}

/** One line of at most 200 characters: the text may be somebody else's, and very long. */
const brief = (message: string): string => {
  const line = message.replaceAll(/\s+/g, " ");
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
};

function whyNotCounted(
  definition: FabricNetwork,
  namespace: string,
  labels: Labels | "unseen" | "believed",
): string | undefined {
  const { name } = definition.metadata;
  const own = organizations(definition).find((organization) => organization.namespace === namespace);
  if (!own) return `network ${name} has no organization in namespace ${namespace}`;
  if (labels === "believed") return undefined;
  if (labels === "unseen")
    return `you may not see whether namespace ${namespace} is labelled as that of network ${name}`;
  if (hasLabels({ metadata: { labels } }, organizationLabels(definition, own))) return undefined;
  return `namespace ${namespace} is not labelled as that of ${own.name} in network ${name}`;
}

/** The definition, if all copies are equal. Throws `conflict` with the difference when they are not. */
export function agreedDefinition(name: string, copies: readonly Copy[]): FabricNetwork {
  const [first, ...rest] = copies;
  if (!first) throw new FabricError("not-found", `expected a copy of network ${name}, found none`);
  const other = rest.find(({ definition }) => !isDeepStrictEqual(definition, first.definition));
  if (!other) return first.definition;
  const { namespace } = other;
  throw new FabricError(
    "conflict",
    `expected one definition of network ${name}, found two that differ, in namespaces ${first.namespace} and ${namespace}:\n` +
      difference(first, other),
    {
      hint: [
        "after an init that was stopped, type it again; else ",
        { kubectl: ["delete", "configmap", networkConfigMapName, "-n", "NAMESPACE"] },
        ", where it is the wrong one: it is a copy, and ",
        { operation: "init" },
        " writes it again",
      ],
    },
  );
}

/** Lines of a difference that are shown. */
const mostLines = 40;

function difference(one: Copy, other: Copy): string {
  const patch = createTwoFilesPatch(
    one.namespace,
    other.namespace,
    stringify(one.definition),
    stringify(other.definition),
    undefined,
    undefined,
    { context: 1 },
  );
  const lines = patch.split("\n").filter((line) => line !== "" && !/^=+$/.test(line));
  const shown = lines.slice(0, mostLines).map((line) => `  ${line.trimEnd().slice(0, 200)}`);
  return [...shown, ...(lines.length > mostLines ? [`  … ${lines.length - mostLines} lines more`] : [])].join("\n");
}
