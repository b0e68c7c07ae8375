/** An answer of the API server that is a Status: its words are Kubernetes' own (apimachinery pkg/api/errors/errors.go). */
export class ApiRefusal extends Error {
  readonly status: number;
  readonly body: object;

  constructor(status: number, reason: string, message: string, details: object = {}) {
    super(message);
    this.status = status;
    this.body = { kind: "Status", apiVersion: "v1", status: "Failure", message, reason, details, code: status };
  }
}

/** "statefulsets.apps" */
export const qualified = (resource: string, group: string): string =>
  group === "" ? resource : `${resource}.${group}`;

export function notFound(resource: string, group: string, name: string): ApiRefusal {
  return new ApiRefusal(404, "NotFound", `${qualified(resource, group)} "${name}" not found`, {
    name,
    group,
    kind: resource,
  });
}

export function alreadyExists(resource: string, group: string, name: string): ApiRefusal {
  return new ApiRefusal(409, "AlreadyExists", `${qualified(resource, group)} "${name}" already exists`, {
    name,
    group,
    kind: resource,
  });
}

export function conflict(resource: string, group: string, name: string, why: string): ApiRefusal {
  const message = `Operation cannot be fulfilled on ${qualified(resource, group)} "${name}": ${why}`;
  return new ApiRefusal(409, "Conflict", message, { name, group, kind: resource });
}

/** ValidatePersistentVolumeClaimUpdate (pkg/apis/core/validation/validation.go), without the difference that it appends. */
export function immutableClaim(name: string): ApiRefusal {
  const why =
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n";
  const message = `PersistentVolumeClaim "${name}" is invalid: spec: Forbidden: ${why}`;
  return new ApiRefusal(422, "Invalid", message, {
    name,
    kind: "PersistentVolumeClaim",
    causes: [{ reason: "FieldValueForbidden", message: `Forbidden: ${why}`, field: "spec" }],
  });
}

/** plugin/pkg/admission/namespace/lifecycle: nothing new in a namespace that is on its way out. */
export function terminating(resource: string, group: string, name: string, namespace: string): ApiRefusal {
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  return new ApiRefusal(403, "Forbidden", `${qualified(resource, group)} "${name}" is forbidden: ${why}`, {
    name,
    group,
    kind: resource,
    causes: [
      {
        reason: "NamespaceTerminating",
        message: `namespace ${namespace} is being terminated`,
        field: "metadata.namespace",
      },
    ],
  });
}
