import type { V1Container, V1PodSpec } from "@kubernetes/client-node";

/**
 * Settings of a Pod's own containers that Pod Security "restricted" refuses (KEP-2579; policy/check_* of k8s.io/pod-security-admission):
 * "container peer: runAsNonRoot is not true". Volumes are not checked: those of the node's Docker are replaced.
 */
export function restrictedViolations(spec: V1PodSpec): readonly string[] {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  return containers.flatMap((container) =>
    violationsOf(container, spec).map((violation) => `container ${container.name}: ${violation}`),
  );
}

const seccompTypes: readonly (string | undefined)[] = ["RuntimeDefault", "Localhost"];

function violationsOf({ securityContext: own }: V1Container, { securityContext: pod }: V1PodSpec): readonly string[] {
  const dropped = own?.capabilities?.drop ?? [];
  const added = (own?.capabilities?.add ?? []).filter((name) => name !== "NET_BIND_SERVICE");
  const rules: readonly (readonly [boolean, string])[] = [
    [own?.privileged !== true, "privileged is true"],
    [own?.allowPrivilegeEscalation === false, "allowPrivilegeEscalation is not false"],
    [dropped.includes("ALL"), 'capabilities.drop has no "ALL"'],
    [added.length === 0, `capabilities.add has ${added.join(", ")}`],
    [(own?.runAsNonRoot ?? pod?.runAsNonRoot) === true, "runAsNonRoot is not true"],
    [(own?.runAsUser ?? pod?.runAsUser) !== 0, "runAsUser is 0"],
    [seccompTypes.includes((own?.seccompProfile ?? pod?.seccompProfile)?.type), "seccompProfile is not RuntimeDefault"],
  ];
  return rules.filter(([kept]) => !kept).map(([, violation]) => violation);
}
