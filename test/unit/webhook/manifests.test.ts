// What the manifests promise and no cluster would tell: they agree with the program, and applying them again wipes nothing.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { parseConfiguration } from "../../../webhook/configuration.ts";
import { injectPath } from "../../../webhook/admission.ts";
import { annotationKeys, namespaceLabel } from "../../../core/injection/annotations.ts";
import { profiles } from "../../../core/injection/profile.ts";
import { defaultSettings, parseSettings } from "../../../core/injection/settings.ts";
import { version } from "../../../core/process/version.ts";

const base = join(import.meta.dirname, "../../../manifests/base");

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels: Record<string, string> };
  readonly data?: Record<string, string>;
  readonly rules?: readonly Rule[];
  readonly spec?: { readonly replicas?: number; readonly minAvailable?: number; readonly template?: PodTemplate };
  readonly webhooks?: readonly (Record<string, unknown> & { readonly clientConfig: object })[];
}

interface Rule {
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

interface PodTemplate {
  readonly spec: {
    readonly terminationGracePeriodSeconds: number;
    readonly priorityClassName: string;
    readonly topologySpreadConstraints: readonly object[];
    readonly securityContext: object;
    readonly containers: readonly {
      readonly image: string;
      readonly securityContext: object;
      readonly args: readonly string[];
    }[];
  };
}

function read(file: string): string {
  return readFileSync(join(base, file), "utf8");
}

const listed = (parse(read("kustomization.yaml")) as { resources: string[] }).resources;
const manifests = listed.flatMap((file) =>
  parseAllDocuments(read(file)).map((document) => document.toJS() as Manifest),
);

/** The one object of a kind. */
function only(kind: string): Manifest {
  const [found, another] = manifests.filter((manifest) => manifest.kind === kind);
  if (found === undefined || another !== undefined) throw new Error(`expected one ${kind}`);
  return found;
}

const configuration = parseConfiguration([], {});

test("every file is listed, and every object is labelled as ours", () => {
  expect([...listed, "kustomization.yaml"].toSorted()).toEqual(readdirSync(base).toSorted());
  for (const { metadata } of manifests) {
    expect(metadata.labels["app.kubernetes.io/managed-by"]).toBe("kubectl-fabric");
    expect(metadata.labels["app.kubernetes.io/component"]).toBe("webhook");
  }
});

test("names are those that the program takes when nothing is said", () => {
  const { namespace, service, configuration: name, authoritySecret, leafSecret } = configuration;
  expect(only("Namespace").metadata.name).toBe(namespace);
  expect(only("Service").metadata).toMatchObject({ name: service, namespace });
  expect(only("MutatingWebhookConfiguration").metadata.name).toBe(name);
  const secrets = manifests.filter(({ kind }) => kind === "Secret").map(({ metadata }) => metadata.name);
  expect(secrets.toSorted()).toEqual([authoritySecret, leafSecret].toSorted());
});

test("applying again wipes neither certificates nor CA: they are not named", () => {
  for (const manifest of manifests.filter(({ kind }) => kind === "Secret")) {
    expect(manifest).not.toHaveProperty("data");
    expect(manifest).not.toHaveProperty("stringData");
  }
  const { webhooks = [] } = only("MutatingWebhookConfiguration");
  expect(webhooks.map(({ clientConfig }) => Object.keys(clientConfig))).toEqual([["service"]]);
});

test("the webhook is asked about annotated Pods of labelled namespaces alone, and not about itself", () => {
  const { webhooks = [] } = only("MutatingWebhookConfiguration");
  const [webhook] = webhooks;
  expect(webhook).toMatchObject({
    failurePolicy: "Fail",
    sideEffects: "None",
    reinvocationPolicy: "IfNeeded",
    timeoutSeconds: 5,
    clientConfig: { service: { name: configuration.service, namespace: configuration.namespace, path: injectPath } },
    rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"], scope: "Namespaced" }],
    namespaceSelector: {
      matchLabels: { [namespaceLabel]: "enabled" },
      matchExpressions: [{ operator: "NotIn", values: ["kube-system", configuration.namespace] }],
    },
  });
  expect(JSON.stringify(webhook?.["matchConditions"])).toContain(
    `'${annotationKeys.inject}' in object.metadata.annotations`,
  );
});

test("settings are the defaults, written out", () => {
  const { data } = only("ConfigMap");
  expect(parseSettings(parse(data?.["settings.yaml"] ?? ""))).toEqual({ valid: true, settings: defaultSettings });
});

test("the runner's image is of this version, too", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  expect(profiles.restricted.image.default).toBe(`docker.io/kubectlfabric/runner:${version}`);
});

test("rights are the least: named Secrets and its own configuration, and reading namespaces and nodes", () => {
  const rules = manifests
    .filter(({ kind }) => kind === "Role" || kind === "ClusterRole")
    .flatMap((role) => role.rules ?? [])
    .map(({ resources, resourceNames, verbs }) => [resources.join(), (resourceNames ?? []).join(), verbs.join()]);
  const { configuration: name, authoritySecret, leafSecret } = configuration;
  expect(rules).toEqual([
    ["secrets", `${authoritySecret},${leafSecret}`, "get,update"],
    ["mutatingwebhookconfigurations", name, "get,patch"],
    ["namespaces", "", "get"],
    ["nodes", "", "list"],
  ]);
});

test("two replicas, spread, of the image of this version, under Pod Security restricted", () => {
  const { spec } = only("Deployment");
  expect(spec?.replicas).toBe(2);
  expect(only("PodDisruptionBudget").spec).toMatchObject({
    minAvailable: 1,
    unhealthyPodEvictionPolicy: "AlwaysAllow",
  });
  const pod = spec?.template?.spec;
  if (pod === undefined) throw new Error("no Pod");
  const packaged = JSON.parse(readFileSync(join(base, "../../package.json"), "utf8")) as { version: string };
  expect(version).toContain("dev");
  expect(pod.topologySpreadConstraints).toContainEqual(
    expect.objectContaining({
      topologyKey: "kubernetes.io/hostname",
      whenUnsatisfiable: "DoNotSchedule",
      nodeTaintsPolicy: "Honor",
    }),
  );
  expect(only("ResourceQuota").spec).toHaveProperty("scopeSelector.matchExpressions.0.values", [pod.priorityClassName]);
  expect(pod.containers.map(({ image }) => image)).toEqual([`docker.io/kubectlfabric/webhook:${packaged.version}`]);
  expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
  expect(pod.containers[0]?.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
  expect(only("Namespace").metadata.labels["pod-security.kubernetes.io/enforce"]).toBe("restricted");
  expect(() => parseConfiguration(pod.containers[0]?.args ?? [], {})).not.toThrow();
  // Draining, a review under way, and the end have to fit.
  expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThan(configuration.drainMs + 30_000);
});
