import { z } from "zod";
import { profileNames, profiles, type PodSecurityLevel } from "../../injection/profile.ts";
import { quantity as sizeOfQuantity } from "../../injection/quantity.ts";
import { FabricError } from "../../error.ts";

/** RFC 1123 label, for names of namespaces and Services in Kubernetes. */
const dnsLabel = z
  .string()
  .regex(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/, "expected a DNS label (lower case letters, digits, -)");
/** Fabric takes any string; these are safe in policies, file names and environment variables. */
const mspId = z.string().regex(/^[A-Za-z][A-Za-z0-9.-]{0,62}$/, "expected an MSP ID like Org1MSP");
const quantity = z.string().regex(/^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$/, "expected a quantity like 5Gi");
/** A tag of Fabric's images. */
const version = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/, "expected an image tag like 3.1 or 2.5.15");
const imageReference = z.string().regex(/^[^\s]+$/, "expected an image reference");

const organization = { name: dnsLabel, mspId, namespace: dnsLabel };

const networkSchema = z.strictObject({
  apiVersion: z.literal("kubectl-fabric.io/v1alpha1"),
  kind: z.literal("FabricNetwork"),
  metadata: z.strictObject({ name: dnsLabel }),
  spec: z.strictObject({
    fabricVersion: version,
    images: z.strictObject({ peer: imageReference, orderer: imageReference }),
    storage: z.strictObject({ className: z.string().optional(), ledger: quantity, docker: quantity }),
    // The isolation of the peers' sidecars. Networks of older versions do not have it.
    profile: z.enum(profileNames).optional(),
    /** Chaincode without a call for this time is stopped. Unset: never. */
    chaincodeIdle: z
      .string()
      .regex(/^(?!0+[smh]$)(?!0*[1-4]s$)[0-9]{1,5}[smh]$/, "expected a time from 5s, like 30s, 10m or 1h")
      .optional(),
    /** Memory limits of nodes. The webhook sets the sidecar's. */
    memory: z.strictObject({ peer: quantity.optional(), orderer: quantity.optional() }).optional(),
    ordererOrganization: z.strictObject({ ...organization, orderers: z.int().min(1).max(99) }),
    peerOrganizations: z.array(z.strictObject({ ...organization, peers: z.int().min(1).max(99) })).min(1),
  }),
});

/** The desired network, shaped as the custom resource that it may become. */
export type FabricNetwork = Readonly<z.infer<typeof networkSchema>>;
export type PeerOrganization = FabricNetwork["spec"]["peerOrganizations"][number];
export type OrdererOrganization = FabricNetwork["spec"]["ordererOrganization"];
export type Organization = PeerOrganization | OrdererOrganization;
export type NodeComponent = "orderer" | "peer";

/** Checks a value from a file or the cluster. Throws `invalid`, which names each wrong field by its path. */
export function parseNetwork(value: unknown, source: string): FabricNetwork {
  const parsed = networkSchema.safeParse(value);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `  ${path.join(".") || "(whole)"}: ${message}`);
    throw new FabricError("invalid", `${source} is not a FabricNetwork:\n${problems.join("\n")}`, {
      hint: [{ operation: "init", with: { dryRun: true, output: "yaml" } }, " prints a complete one"],
    });
  }
  checkUnique(parsed.data, source);
  checkIdle(parsed.data, source);
  checkMemory(parsed.data, source);
  return parsed.data;
}

function checkUnique(network: FabricNetwork, source: string): void {
  const all = organizations(network);
  for (const field of ["name", "mspId", "namespace"] as const) {
    const seen = new Set<string>();
    for (const { [field]: value } of all) {
      if (seen.has(value)) throw new FabricError("invalid", `${source}: two organizations have the ${field} ${value}`);
      seen.add(value);
    }
  }
}

/** Checked here, because otherwise the webhook would deny the peers' Pods later. */
function checkIdle({ spec: { profile, chaincodeIdle } }: FabricNetwork, source: string): void {
  if (profile !== "restricted" || chaincodeIdle === undefined) return;
  throw new FabricError("invalid", `${source}: chaincodeIdle needs Docker, which profile restricted has not`, {
    hint: [
      "leave one of ",
      { setting: "profile", to: "restricted" },
      " and ",
      { setting: "chaincodeIdle" },
      " out; ",
      { setting: "chaincodeIdle", to: false },
      " takes it back",
    ],
  });
}

/** Checked here, because otherwise the API server would refuse the nodes after the definition was written. */
function checkMemory({ spec: { memory = {} } }: FabricNetwork, source: string): void {
  for (const component of ["peer", "orderer"] as const) {
    const [limit, least] = [memory[component], memoryRequests[component]];
    if (limit === undefined || sizeOf(limit) >= sizeOf(least)) continue;
    throw new FabricError(
      "invalid",
      `${source}: expected at least ${least} in spec.memory.${component}, found ${limit}`,
      {
        hint: [{ setting: `${component}Memory`, to: "2Gi" }, `; by default it is ${usualMemory[component]}`],
      },
    );
  }
}

const sizeOf = (text: string): number => sizeOfQuantity(text) ?? Number.NaN;

/** The official image of a version of Fabric. */
export const fabricImage = (component: NodeComponent, fabricVersion: string): string =>
  `docker.io/hyperledger/fabric-${component}:${fabricVersion}`;

/** The strictest Pod Security level that admits the peers. */
export function peerSecurity({ spec }: FabricNetwork): PodSecurityLevel {
  return profiles[spec.profile ?? "privileged"].requires.podSecurity;
}

export function organizations({ spec }: FabricNetwork): readonly Organization[] {
  return [spec.ordererOrganization, ...spec.peerOrganizations];
}

/** Memory requests: a small node uses no more. */
export const memoryRequests = { peer: "256Mi", orderer: "128Mi" } as const;

const usualMemory = { peer: "4Gi", orderer: "2Gi" } as const;

/** The memory limit of a node: "4Gi". */
export const memoryLimitOf = ({ spec: { memory } }: FabricNetwork, component: NodeComponent): string =>
  memory?.[component] ?? usualMemory[component];
