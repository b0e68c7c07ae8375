import { annotationKeys } from "../injection/annotations.ts";
import type { ClusterFacts } from "../injection/cluster.ts";
import { injectPod } from "../injection/inject.ts";
import { profileNames, type ProfileName } from "../injection/profile.ts";
import type { InjectionSettings } from "../injection/settings.ts";
import type { V1Pod } from "../kubernetes/client-node.ts";
import { version } from "../process/version.ts";

/**
 * A peer Pod as the webhook would inject it under a profile, even if the operator does not allow it: for a dry run of the API server.
 * A string is the injection's reason to deny it. The peer's container satisfies Pod Security "restricted", so that only the sidecar
 * decides. The Pod has none of our annotations, so that the API server does not send it to the webhook. Pure.
 */
export function trialPod(
  namespace: string,
  profile: ProfileName,
  settings: InjectionSettings,
  cluster: Omit<ClusterFacts, "namespace">,
): V1Pod | string {
  const context = {
    settings: { ...settings, profile: { default: profile, allowed: profileNames } },
    cluster,
    version,
  };
  const outcome = injectPod(peer(namespace, { [annotationKeys.inject]: "true" }), context);
  if (outcome.kind === "denied") return outcome.message;
  if (outcome.pod === undefined) throw new Error(`expected an injected Pod for the profile ${profile}`);
  const { spec } = outcome.pod;
  return { apiVersion: "v1", kind: "Pod", metadata: metadataOf(namespace), ...(spec === undefined ? {} : { spec }) };
}

const metadataOf = (namespace: string) => ({ generateName: "kubectl-fabric-doctor-", namespace });

function peer(namespace: string, annotations: Record<string, string>): V1Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...metadataOf(namespace), annotations },
    spec: {
      containers: [
        {
          name: "peer",
          image: "docker.io/hyperledger/fabric-peer:3.1",
          command: ["peer", "node", "start"],
          resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { cpu: "1", memory: "512Mi" } },
          securityContext: {
            allowPrivilegeEscalation: false,
            capabilities: { drop: ["ALL"] },
            runAsNonRoot: true,
            runAsUser: 1000,
            seccompProfile: { type: "RuntimeDefault" },
          },
        },
      ],
    },
  };
}
