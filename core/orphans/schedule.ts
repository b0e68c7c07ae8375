import type {
  KubernetesObject,
  V1CronJob,
  V1PodSpec,
  V1Role,
  V1RoleBinding,
  V1ServiceAccount,
} from "../kubernetes/client-node.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { list, refOf, remove } from "../kubernetes/objects.ts";
import { adminIdentityName, identitySecretName } from "../network/identity/identity-secret.ts";
import { managedBy } from "../kubernetes/ownership.ts";
import { organizationLabels } from "../network/resources/labels.ts";
import { appliedStep } from "../kubernetes/steps/object-steps.ts";
import type { FabricNetwork, PeerOrganization } from "../network/resources/spec.ts";
import type { Step } from "../engine/step.ts";
import type { Source } from "./judgement/finding.ts";

/** A cleanup that a CronJob starts. */
export interface Schedule {
  /** As in a CronJob: "17 3 * * *". */
  readonly cron: string;
  /** Seconds. */
  readonly olderThan: number;
  readonly sources: readonly Source[];
  /** An image whose entry point is this plugin. */
  readonly image: string;
}

/** Sources for a CronJob. Not host-docker: it needs Pods with the node's files, which a schedule should not make. */
export const schedulable: readonly Source[] = ["dind", "builder-k8s", "service"];

const name = "fabric-cleanup";
const component = { "app.kubernetes.io/component": "cleanup-schedule" } as const;
const scheduledLabels = { ...managedBy, ...component };
const kinds = ["CronJob", "RoleBinding", "Role", "ServiceAccount"] as const;
/** A user ID that is not root's. */
const user = 65532;

/** The CronJob of an organization in its namespace, with rights in this namespace only. */
export function scheduleObjects(
  network: FabricNetwork,
  organization: PeerOrganization,
  schedule: Schedule,
): readonly KubernetesObject[] {
  const metadata = {
    name,
    namespace: organization.namespace,
    labels: { ...organizationLabels(network, organization), ...component },
  };
  const account: V1ServiceAccount = { apiVersion: "v1", kind: "ServiceAccount", metadata };
  const role: V1Role = {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata,
    rules: [...readRules(), ...schedule.sources.flatMap(sourceRules)],
  };
  const binding: V1RoleBinding = {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata,
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
    subjects: [{ kind: "ServiceAccount", name, namespace: organization.namespace }],
  };
  const cronJob: V1CronJob = {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata,
    spec: {
      schedule: schedule.cron,
      concurrencyPolicy: "Forbid",
      startingDeadlineSeconds: 3600,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 3,
      jobTemplate: {
        spec: {
          backoffLimit: 0,
          activeDeadlineSeconds: 1800,
          template: { metadata: { labels: component }, spec: podSpec(network, organization, schedule) },
        },
      },
    },
  };
  return [account, role, binding, cronJob];
}

function podSpec(network: FabricNetwork, organization: PeerOrganization, schedule: Schedule): V1PodSpec {
  const { sources, olderThan, image } = schedule;
  return {
    serviceAccountName: name,
    restartPolicy: "Never",
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: user,
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [
      {
        name: "cleanup",
        image,
        args: `cleanup --yes --network ${network.metadata.name} --org ${organization.name} --older-than ${olderThan}s --source ${sources.join(",")}`.split(
          " ",
        ),
        resources: { requests: { cpu: "50m", memory: "96Mi" }, limits: { memory: "512Mi" } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
      },
    ],
  };
}

type Rules = NonNullable<V1Role["rules"]>;

/** Rights to find the peers, and to ask them as their administrator. Of all Secrets only the administrator's. */
function readRules(): Rules {
  return [
    { apiGroups: [""], resources: ["pods", "configmaps"], verbs: ["get", "list"] },
    { apiGroups: [""], resources: ["secrets"], resourceNames: [identitySecretName(adminIdentityName)], verbs: ["get"] },
    // A WebSocket begins as a GET; since Kubernetes 1.35 the right to create is asked for as well.
    { apiGroups: [""], resources: ["pods/portforward"], verbs: ["get", "create"] },
  ];
}

function sourceRules(source: Source): Rules {
  const tidy = ["get", "list", "delete"];
  switch (source) {
    case "dind":
      return [
        { apiGroups: [""], resources: ["pods/exec"], verbs: ["get", "create"] },
        // The log shows that the builds of a peer's start have ended.
        { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] },
      ];
    case "service":
      return [
        { apiGroups: ["apps"], resources: ["deployments"], verbs: tidy },
        { apiGroups: [""], resources: ["services"], verbs: tidy },
      ];
    case "builder-k8s":
      return [
        { apiGroups: ["batch"], resources: ["jobs"], verbs: tidy },
        // The builder generates its Secrets' names, so this right has to cover every Secret of the namespace.
        { apiGroups: [""], resources: ["pods", "secrets"], verbs: tidy },
      ];
    case "host-docker":
      return [];
  }
}

/** Steps that make the organizations' schedules. */
export function scheduleSteps(
  cluster: Cluster,
  network: FabricNetwork,
  organizations: readonly PeerOrganization[],
  schedule: Schedule,
): readonly Step[] {
  return organizations.map((organization) =>
    appliedStep(cluster, {
      id: `${organization.name}/cleanup-schedule`,
      title: `${organization.name} is tidied at ${schedule.cron}`,
      after: [],
      objects: scheduleObjects(network, organization, schedule),
    }),
  );
}

/** Steps that remove the schedules from the organizations' namespaces. */
export function unscheduleSteps(cluster: Cluster, organizations: readonly PeerOrganization[]): readonly Step[] {
  return organizations.map(({ name: organization, namespace }) => {
    const present = async (kind: (typeof kinds)[number], signal: AbortSignal): Promise<readonly KubernetesObject[]> => {
      const labelled: readonly KubernetesObject[] = await list(
        cluster,
        { kind, namespace, labels: scheduledLabels },
        signal,
      );
      return labelled.filter(({ metadata }) => metadata?.name === name);
    };
    return {
      id: `${organization}/cleanup-unscheduled`,
      title: `${organization} has no cleanup schedule`,
      after: [],
      removes: true,
      async observe({ signal }) {
        const found = await Promise.all(kinds.map((kind) => present(kind, signal)));
        const left = found.flat().map(({ kind }) => kind);
        return left.length === 0 ? { is: "so" } : { is: "differs", change: `${left.join(", ")} ${name}` };
      },
      async act({ signal }) {
        for (const kind of kinds) {
          for (const object of await present(kind, signal))
            await remove(cluster, refOf(object), { uid: object.metadata?.uid, signal });
        }
      },
    };
  });
}
