import { isDeepStrictEqual } from "node:util";
import { FabricError } from "../../error.ts";
import { isIssuedBy } from "../../fabric/identity/certificate.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { V1ConfigMap } from "../../kubernetes/client-node.ts";
import { createOrGet, describeRef, get } from "../../kubernetes/objects.ts";
import type { Step } from "../../engine/step.ts";
import { adminIdentityName, identitySecret, identitySecretName, readIdentitySecret } from "./identity-secret.ts";
import {
  adminIdentity,
  authoritiesSecret,
  authoritiesSecretName,
  identityDefect,
  isOutdated,
  issueIdentity,
  mspConfigMap,
  mspConfigMapName,
  newAuthorities,
  nodeIdentity,
  readAuthorities,
  type Authorities,
  type IdentityRequest,
} from "./identities.ts";
import { hasLabels, managedBy } from "../../kubernetes/ownership.ts";
import { appliedStep } from "../../kubernetes/steps/object-steps.ts";
import { nodesOf, type FabricNode } from "../resources/nodes.ts";
import type { FabricNetwork, Organization } from "../resources/spec.ts";

/** The clock for the certificates' dates. */
export type Clock = () => Date;

/** Steps that make an organization's authorities, public certificates, and identities of its administrator and nodes, if missing. */
export function identitySteps(
  cluster: Cluster,
  network: FabricNetwork,
  organization: Organization,
  after: Step,
  now: Clock,
): { readonly steps: readonly Step[]; readonly of: (node: FabricNode) => Step } {
  const authorities = authoritiesStep(cluster, network, organization, after, now);
  const issued = (request: IdentityRequest) => identityStep(cluster, network, organization, request, authorities, now);
  const nodes = new Map(nodesOf(organization).map((node) => [node.name, issued(nodeIdentity(node))]));
  return {
    steps: [
      authorities,
      mspStep(cluster, network, organization, authorities),
      issued(adminIdentity(organization)),
      ...nodes.values(),
    ],
    of: ({ name }) => nodes.get(name) ?? authorities,
  };
}

function authoritiesStep(
  cluster: Cluster,
  network: FabricNetwork,
  organization: Organization,
  after: Step,
  now: Clock,
): Step {
  const { namespace } = organization;
  return {
    id: `${organization.name}/authorities`,
    title: `${organization.name}: certificate authorities`,
    after: [after],
    async observe({ signal }) {
      const secret = await get(cluster, { kind: "Secret", namespace, name: authoritiesSecretName }, signal);
      if (!secret) return { is: "differs", change: "new keys" };
      await authoritiesOf(cluster, organization, signal);
      return { is: "so" };
    },
    async act({ signal }) {
      // Created, never applied: the second of two commands uses the keys of the first.
      await createOrGet(cluster, authoritiesSecret(network, organization, await newAuthorities(organization, now())), {
        signal,
      });
    },
  };
}

/** Reads the organization's authorities. Throws `invalid` when the Secret is missing or incomplete. */
export async function authoritiesOf(
  cluster: Cluster,
  { namespace }: Organization,
  signal: AbortSignal,
): Promise<Authorities> {
  const secret = await get(cluster, { kind: "Secret", namespace, name: authoritiesSecretName }, signal);
  const authorities = secret && readAuthorities(secret);
  if (authorities) return authorities;
  throw new FabricError(
    "invalid",
    `expected the keys of two certificate authorities in Secret ${namespace}/${authoritiesSecretName}`,
    {
      hint:
        'restore the Secret from the backup (docs/security.md, "Keys"); without it no certificate of this organization can be ' +
        "issued or renewed",
    },
  );
}

function mspStep(cluster: Cluster, network: FabricNetwork, organization: Organization, after: Step): Step {
  // What is to be applied is known only when the authorities are there.
  const inner = async (signal: AbortSignal) => {
    const authorities = await authoritiesOf(cluster, organization, signal);
    const object = mspConfigMap(network, organization, authorities);
    await checkMsp(cluster, organization, { authorities, object }, signal);
    return appliedStep(cluster, { id: "", title: "", after: [], objects: [object] });
  };
  return {
    id: `${organization.name}/msp`,
    title: `${organization.name}: public certificates`,
    after: [after],
    observe: async (context) => (await inner(context.signal)).observe(context),
    act: async (context) => (await inner(context.signal)).act(context),
  };
}

/** Whether these authorities have issued the administrator's certificate. */
async function haveIssued(
  cluster: Cluster,
  namespace: string,
  { enrolment }: Authorities,
  signal: AbortSignal,
): Promise<boolean> {
  const ref = { kind: "Secret", namespace, name: identitySecretName(adminIdentityName) } as const;
  const secret = await get(cluster, ref, signal);
  const identity = secret && readIdentitySecret(secret);
  return (
    identity !== undefined && !("missing" in identity) && isIssuedBy(identity["msp-cert.pem"], enrolment.certificate)
  );
}

/** Throws `conflict` when the ConfigMap has certificates of other authorities: channels may know those. */
async function checkMsp(
  cluster: Cluster,
  { name, namespace }: Organization,
  { authorities, object }: { readonly authorities: Authorities; readonly object: V1ConfigMap },
  signal: AbortSignal,
): Promise<void> {
  const ref = { kind: "ConfigMap", namespace, name: mspConfigMapName } as const;
  const found = await get(cluster, ref, signal);
  if (!found || !hasLabels(found, managedBy) || isDeepStrictEqual(found.data, object.data)) return;
  throw new FabricError(
    "conflict",
    `${describeRef(ref)} has other certificates than Secret ${authoritiesSecretName}: one of the two is not ${name}'s`,
    {
      hint: (await haveIssued(cluster, namespace, authorities, signal))
        ? [
            "the Secret has issued the organization's identities: ",
            { kubectl: ["-n", namespace, "delete", "configmap", mspConfigMapName] },
            ", which holds no keys, and init writes it again",
          ]
        : 'channels know the right one; restore the other from the backup (docs/security.md, "Keys")',
    },
  );
}

function identityStep(
  cluster: Cluster,
  network: FabricNetwork,
  organization: Organization,
  request: IdentityRequest,
  after: Step,
  now: Clock,
): Step {
  const ref = { kind: "Secret", namespace: organization.namespace, name: identitySecretName(request.name) } as const;
  return {
    id: `${organization.name}/identity/${request.name}`,
    title: `${organization.name}: identity of ${request.name}`,
    after: [after],
    async observe({ signal }) {
      const secret = await get(cluster, ref, signal);
      if (!secret) return { is: "differs", change: `certificates for ${request.commonName}` };
      const identity = readIdentitySecret(secret);
      const authorities = await authoritiesOf(cluster, organization, signal);
      const defect =
        "missing" in identity
          ? `it lacks ${identity.missing.join(", ")}`
          : identityDefect(identity, authorities, request, now());
      if (defect === undefined) return { is: "so" };
      throw new FabricError("conflict", `Secret ${ref.namespace}/${ref.name} cannot be used as it is: ${defect}`, {
        hint: isOutdated(defect)
          ? [
              { kubectl: ["-n", ref.namespace, "get", "secret", ref.name, "-o", "yaml"] },
              ` > ${ref.namespace}-${ref.name}.yaml keeps it; once that file holds it, and it is out of the way, `,
              { operation: "init" },
              " issues it anew, by the same authorities",
            ]
          : 'restore it from the backup (docs/security.md, "Keys"); only one that is not there is issued anew',
      });
    },
    async act({ signal }) {
      const authorities = await authoritiesOf(cluster, organization, signal);
      const identity = await issueIdentity(authorities, request, now());
      await createOrGet(cluster, identitySecret(network, organization, request.name, identity), { signal });
    },
  };
}
