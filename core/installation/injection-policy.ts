import { annotationKeys, namespaceLabel } from "../injection/annotations.ts";
import { terminationLog, toleratedVariable } from "../injection/found-injection.ts";
import { injectPod } from "../injection/inject.ts";
import { archivesDirectory, archivesVolume, pullSecretsDirectory, pullSecretsVolume } from "../injection/preload.ts";
import { dockerEndpoint, socketDirectory } from "../injection/profile.ts";
import { defaultSettings } from "../injection/settings.ts";
import { graphVolume, idlerName, preloaderName, sidecarName, socketVolume } from "../injection/sidecar.ts";
import { webhookObjects } from "../injection/webhook-objects.ts";
import type {
  KubernetesObject,
  V1ConfigMap,
  V1Container,
  V1Pod,
  V1ValidatingAdmissionPolicy,
  V1ValidatingAdmissionPolicyBinding,
} from "../kubernetes/client-node.ts";
import { managedBy } from "../kubernetes/ownership.ts";

/*
 * What the namespaces that opted in take, by the API server itself (KEP-3488, ValidatingAdmissionPolicy, GA in 1.30): Pod Security
 * "baseline" for everything but the injected daemon, and that one only as it is injected. Written out in
 * manifests/overlays/policy/policy.yaml, from what the injection makes: the two agree by a test.
 */

const policyName = "kubectl-fabric-pods";
const registrationPolicyName = "kubectl-fabric-webhook-registration";
const parameters = { name: "kubectl-fabric-policy", namespace: webhookObjects.namespace } as const;
const webhookUser = `system:serviceaccount:${webhookObjects.namespace}:${webhookObjects.name}`;
const registrationName = webhookObjects.name;

const labels = {
  "app.kubernetes.io/name": webhookObjects.name,
  "app.kubernetes.io/component": "webhook",
  "app.kubernetes.io/part-of": "kubectl-fabric",
  ...managedBy,
};

/** The policies, what they are bound by, and the lists that an operator keeps, in the order to apply them. */
export function injectionPolicyObjects(): readonly KubernetesObject[] {
  return [parametersObject(), podPolicy(), registrationPolicy(), podBinding(), registrationBinding()];
}

/** Patterns a line, as in the settings: `*` stands for any characters, a repository alone for all its versions. */
function parametersObject(): V1ConfigMap {
  const { images } = defaultSettings;
  const lines = (list: readonly string[]): string => `${[...new Set(list)].join("\n")}\n`;
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { ...parameters, labels },
    data: {
      daemonImages: lines([images.privileged.default, ...images.privileged.allowed]),
      peerImages: lines(["docker.io/hyperledger/fabric-peer"]),
    },
  };
}

/** Containers that the injection makes, by name, in all the forms that a cluster of 1.30 or newer can meet. */
function injectedContainers(): ReadonlyMap<string, readonly V1Container[]> {
  const variants = ["1.30", "1.36"].flatMap((minor) =>
    ["host", "bridge"].flatMap((network) =>
      [undefined, "a"].flatMap((preload) =>
        [undefined, "b"].map((archives) => injectedVariant(Number(minor.slice(2)), network, preload, archives)),
      ),
    ),
  );
  const containers = variants.flatMap(({ spec }) => spec?.initContainers ?? []);
  return Map.groupBy(containers, ({ name }) => name);
}

function injectedVariant(
  minor: number,
  network: string,
  preload: string | undefined,
  archives: string | undefined,
): V1Pod {
  const annotations = {
    [annotationKeys.inject]: "true",
    [annotationKeys.chaincodeNetwork]: network,
    [annotationKeys.chaincodeIdle]: "1h",
    ...(preload === undefined ? {} : { [annotationKeys.preload]: preload }),
    ...(archives === undefined ? {} : { [annotationKeys.preloadArchives]: archives }),
  };
  const pod: V1Pod = {
    metadata: { annotations },
    spec: { containers: [{ name: "peer", image: "hyperledger/fabric-peer" }] },
  };
  const version = { major: 1, minor, patch: 0 };
  const cluster = { apiServer: version, oldestKubelet: version };
  const outcome = injectPod(pod, { settings: defaultSettings, cluster, version: "" });
  if (outcome.pod === undefined) throw new Error(`expected an injection, found ${outcome.kind}`);
  return outcome.pod;
}

/** CEL (https://cel.dev) takes JSON's texts, numbers and lists. */
const cel = (value: unknown): string => JSON.stringify(value);

const distinct = (lists: readonly (readonly string[])[]): readonly string[] => [...new Set(lists.flat())];

/** Whether an image, with what Docker adds to it, is like one of the patterns. */
function imageIn(image: string, patterns: string): string {
  const first = `${image}.split("/")[0]`;
  const hasRegistry = `${first}.contains(".") || ${first}.contains(":") || ${first} == "localhost"`;
  const full = `(${image}.contains("/") ? ((${hasRegistry}) ? ${image} : "docker.io/" + ${image}) : "docker.io/library/" + ${image})`;
  return `variables.${patterns}.exists(p, ${full}.matches(p))`;
}

/** A list of patterns, each as a regular expression (RE2: linear). */
function patternsOf(key: string): string {
  const version = cel("(:[^/@]+)?(@[a-z0-9]+:[0-9a-f]+)?");
  const pattern = `p.replace(".", "[.]").replace("*", "[^@]*")`;
  return `${linesOf(key)}.map(p, "^" + ${pattern} + (p.matches("[:@][^/]*$") ? "" : ${version}) + "$")`;
}

const linesOf = (key: string): string =>
  `(${cel(key)} in params.data ? params.data.${key} : "").split("\\n").map(p, p.trim()).filter(p, p != "")`;

/** No mount of the node's comes in by it, and none of the container's gets out. */
const isPrivate = `(!has(m.mountPropagation) || m.mountPropagation == "None")`;
const isToken = `(has(m.readOnly) && m.readOnly && ${isPrivate} && m.mountPath.matches("^/(var/)?run/secrets/") && !m.mountPath.contains(".."))`;
const isWhole = `(!has(m.subPath) && !has(m.subPathExpr) && ${isPrivate})`;
const isOurs = (name: string): string =>
  `(${name} in ${cel([socketVolume, graphVolume, pullSecretsVolume])} || ${name}.startsWith(${cel(archivesVolume)}))`;
const isPullSecrets = `(m.name == ${cel(pullSecretsVolume)} && m.mountPath == ${cel(pullSecretsDirectory)})`;
const isArchives = `(m.name.startsWith(${cel(archivesVolume)}) && m.mountPath.matches(${cel(`^${archivesDirectory}/[0-9]+$`)}))`;
const isSocketOfPeer = `(m.name == ${cel(socketVolume)} && m.mountPath == ${cel(socketDirectory)} && has(m.readOnly) && m.readOnly && ${isWhole})`;

/** Fields that no privileged container and no helper of the injection has, nor gets by defaults or other webhooks. */
const neverMade = [
  "envFrom",
  "lifecycle",
  "livenessProbe",
  "ports",
  "readinessProbe",
  "stdin",
  "stdinOnce",
  "tty",
  "volumeDevices",
  "workingDir",
];

/** Nothing but its command decides what runs in it, and what it reaches. */
function runsOnlyItsCommand(variables: readonly string[]): string {
  const tolerated = cel(`(?i)${toleratedVariable.source}`);
  return [
    `(!has(c.env) || c.env.all(e, ${variables.join(" || ")} || e.name.matches(${tolerated})))`,
    ...neverMade.map((field) => `!has(c.${field})`),
    "(!has(c.resources) || !has(c.resources.claims))",
    // The kubelet mounts an empty file there, whatever the image has in its place.
    `(!has(c.terminationMessagePath) || c.terminationMessagePath == ${cel(terminationLog)})`,
  ].join(" && ");
}

const variable = (name: string, value: string): string =>
  `(e.name == ${cel(name)} && !has(e.valueFrom) && has(e.value) && e.value == ${cel(value)})`;

/** The daemon as it is injected under the profiles `privileged` and `userns`. */
function isDaemonOfOurs(containers: readonly V1Container[]): string {
  const [first] = containers;
  const fixed = distinct(containers.map(({ args }) => args ?? [])).filter((argument) => !argument.startsWith("--mtu="));
  const graph = first?.volumeMounts?.find(({ name }) => name === graphVolume)?.mountPath;
  const mounts = `(m.name == ${cel(socketVolume)} && m.mountPath == ${cel(socketDirectory)} && ${isWhole}) || (m.name == ${cel(graphVolume)} && m.mountPath == ${cel(graph)} && ${isWhole})`;
  return [
    `c.name == ${cel(sidecarName)}`,
    `has(c.restartPolicy) && c.restartPolicy == "Always"`,
    imageIn("c.image", "daemonImages"),
    `has(c.command) && c.command == ${cel(first?.command)}`,
    `has(c.args) && c.args.size() > 0 && c.args[0] == "dockerd"`,
    `c.args.all(a, a in ${cel(fixed)} || a.matches("^--mtu=[0-9]{3,5}$") || (a.startsWith("--registry-mirror=") && a.substring(18) in variables.registryMirrors))`,
    runsOnlyItsCommand([variable("DOCKER_HOST", dockerEndpoint)]),
    `has(c.startupProbe) && has(c.startupProbe.exec) && c.startupProbe.exec.command == ${cel(first?.startupProbe?.exec?.command)}`,
    `has(c.volumeMounts) && c.volumeMounts.all(m, ${mounts} || ${isToken})`,
    ...["capabilities", "seLinuxOptions", "windowsOptions"].map((field) => `!has(c.securityContext.${field})`),
    `(!has(c.securityContext.procMount) || c.securityContext.procMount == "Default")`,
  ].join(" && ");
}

/**
 * The containers that reach the daemon without being the peer: their command is all that they do. What they are told are words: by
 * an option that it does not know, or a terminal, Docker's command line comes to run plugins (docker/cli: cmd/docker/docker.go).
 */
function isHelperOfOurs(name: string, containers: readonly V1Container[], mounts: string): string {
  const scripts = distinct(containers.map(({ command }) => [command?.[2] ?? ""]));
  const word = containers[0]?.command?.[3];
  return [
    `c.name == ${cel(name)}`,
    imageIn("c.image", "daemonImages"),
    `has(c.command) && c.command.size() > 3 && c.command[0] == "sh" && c.command[1] == "-c" && c.command[2] in ${cel(scripts)} && c.command[3] == ${cel(word)}`,
    `c.command.filter(w, w != c.command[2] && !w.matches("^[a-zA-Z0-9/][^$]*$")).size() == 1`,
    "!has(c.args)",
    "!has(c.startupProbe)",
    runsOnlyItsCommand([
      variable("DOCKER_HOST", dockerEndpoint),
      variable("HOME", "/tmp"),
      `(e.name == "KUBECTL_FABRIC_ARCHIVES" && !has(e.valueFrom) && has(e.value) && e.value.matches(${cel("^([a-zA-Z0-9][^$\\s]*( |$))*$")}))`,
    ]),
    `has(c.volumeMounts) && c.volumeMounts.all(m, ${mounts} || ${isToken})`,
  ].join(" && ");
}

/** Pod Security "baseline" (https://kubernetes.io/docs/concepts/security/pod-security-standards), 1.36, of one container. */
const capabilities = [
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
];
const seLinuxTypes = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];
const sysctls = [
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_wmem",
];

/** What container and Pod have in common. */
function isBaselineContext(context: string): string {
  return [
    `(!has(${context}.seccompProfile) || ${context}.seccompProfile.type != "Unconfined")`,
    `(!has(${context}.appArmorProfile) || ${context}.appArmorProfile.type != "Unconfined")`,
    `(!has(${context}.seLinuxOptions) || (!has(${context}.seLinuxOptions.user) && !has(${context}.seLinuxOptions.role) && (!has(${context}.seLinuxOptions.type) || ${context}.seLinuxOptions.type in ${cel(seLinuxTypes)})))`,
    `(!has(${context}.windowsOptions) || !has(${context}.windowsOptions.hostProcess) || !${context}.windowsOptions.hostProcess)`,
  ].join(" && ");
}

/** A probe, or a hook, that names no other host. */
function asksThePod(handler: string): string {
  const ways = ["httpGet", "tcpSocket"].map((way) => {
    const asked = `${handler}.${way}`;
    return `(!has(${asked}) || !has(${asked}.host) || ${asked}.host == "")`;
  });
  return `(${ways.join(" && ")})`;
}

const isPrivileged = `(has(c.securityContext) && has(c.securityContext.privileged) && c.securityContext.privileged)`;

const isBaseline = [
  `!${isPrivileged}`,
  `(!has(c.securityContext) || (${[
    `(!has(c.securityContext.capabilities) || !has(c.securityContext.capabilities.add) || c.securityContext.capabilities.add.all(k, k in ${cel(capabilities)}))`,
    `(!has(c.securityContext.procMount) || c.securityContext.procMount == "Default")`,
    isBaselineContext("c.securityContext"),
  ].join(" && ")}))`,
  `(!has(c.ports) || c.ports.all(p, !has(p.hostPort) || p.hostPort == 0))`,
  // Since 1.34: the kubelet asks from the node's own network.
  ...["c.livenessProbe", "c.readinessProbe", "c.startupProbe"].map(
    (probe) => `(!has(${probe}) || ${asksThePod(probe)})`,
  ),
  ...["c.lifecycle.postStart", "c.lifecycle.preStop"].map(
    (hook) => `(!has(c.lifecycle) || !has(${hook}) || ${asksThePod(hook)})`,
  ),
].join(" && ");

const isBaselinePod = [
  "(!has(object.spec.hostNetwork) || !object.spec.hostNetwork)",
  "(!has(object.spec.hostPID) || !object.spec.hostPID)",
  "(!has(object.spec.hostIPC) || !object.spec.hostIPC)",
  "(!has(object.spec.volumes) || object.spec.volumes.all(v, !has(v.hostPath)))",
  `(!has(object.spec.securityContext) || (${[
    isBaselineContext("object.spec.securityContext"),
    `(!has(object.spec.securityContext.sysctls) || object.spec.securityContext.sysctls.all(s, s.name in ${cel(sysctls)}))`,
  ].join(" && ")}))`,
].join(" && ");

const mountsOurs = `((has(c.volumeMounts) && c.volumeMounts.exists(m, ${isOurs("m.name")})) || (has(c.volumeDevices) && c.volumeDevices.exists(d, ${isOurs("d.name")})))`;

/** A message that names the first of a list. */
const naming = (list: string, what: string): string => `"container " + variables.${list}[0].name + " " + ${cel(what)}`;

function podPolicy(): V1ValidatingAdmissionPolicy {
  const containers = injectedContainers();
  const helpers = [
    isHelperOfOurs(
      preloaderName,
      containers.get(preloaderName) ?? [],
      `${isSocketOfPeer} || (has(m.readOnly) && m.readOnly && ${isWhole} && (${isPullSecrets} || ${isArchives}))`,
    ),
    isHelperOfOurs(idlerName, containers.get(idlerName) ?? [], isSocketOfPeer),
  ];
  // Without privilege (the profiles restricted and sysbox) what is in the sidecar gains nothing.
  const isRunner = `(c.name == ${cel(sidecarName)} && !has(c.volumeDevices))`;
  const isPeer = `(!has(c.volumeDevices) && has(c.volumeMounts) && c.volumeMounts.all(m, !${isOurs("m.name")} || ${isSocketOfPeer}) && ${imageIn("c.image", "peerImages")})`;
  const optional = (field: string): string => `(has(object.spec.${field}) ? object.spec.${field} : [])`;
  return {
    ...objectOf("ValidatingAdmissionPolicy", policyName),
    spec: {
      failurePolicy: "Fail",
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      matchConstraints: {
        namespaceSelector: { matchLabels: { [namespaceLabel]: "enabled" } },
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["pods"] },
          { apiGroups: [""], apiVersions: ["v1"], operations: ["UPDATE"], resources: ["pods/ephemeralcontainers"] },
        ],
      },
      // Labels and finalizers of Pods from before the policy can still be changed, or they could never go.
      matchConditions: [
        { name: "spec-changes", expression: `request.operation == "CREATE" || object.spec != oldObject.spec` },
      ],
      variables: [
        { name: "daemonImages", expression: patternsOf("daemonImages") },
        { name: "peerImages", expression: patternsOf("peerImages") },
        { name: "registryMirrors", expression: linesOf("registryMirrors") },
        { name: "containers", expression: `object.spec.containers + ${optional("initContainers")}` },
        { name: "ephemeral", expression: optional("ephemeralContainers") },
        {
          name: "daemons",
          expression: `${optional("initContainers")}.filter(c, ${isPrivileged} && ${isDaemonOfOurs(containers.get(sidecarName) ?? [])})`,
        },
        {
          name: "beyondBaseline",
          expression: `variables.containers.filter(c, !(${isBaseline}) && !variables.daemons.exists(d, d.name == c.name))`,
        },
        {
          name: "strangers",
          expression: `variables.containers.filter(c, ${mountsOurs} && !variables.daemons.exists(d, d.name == c.name) && !(${isRunner} || ${isPeer} || ${helpers.map((helper) => `(${helper})`).join(" || ")}))`,
        },
      ],
      validations: [
        {
          expression: isBaselinePod,
          message:
            'the namespace takes Pods within Pod Security "baseline" only, save for the injected daemon: no host namespaces, hostPath volumes, unsafe sysctls or unconfined profiles',
        },
        {
          expression: `!has(object.spec.volumes) || object.spec.volumes.all(v, v.name != ${cel(socketVolume)} || has(v.emptyDir))`,
          message: "the volume of the injected daemon's socket is no emptyDir: other Pods could have it, too",
        },
        {
          expression: `!has(object.spec.volumes) || object.spec.volumes.all(v, v.name != ${cel(pullSecretsVolume)} || (has(v.projected) && has(v.projected.sources) && v.projected.sources.all(s, has(s.secret) && has(s.secret.items) && s.secret.items.all(i, i.path.matches("^[0-9]+/config[.]json$")))))`,
          message: "the volume of pull secrets has more than configurations of Docker: it could have plugins",
        },
        {
          expression: `!has(object.spec.volumes) || object.spec.volumes.all(v, v.name == ${cel(graphVolume)} || !has(v.persistentVolumeClaim) || !object.spec.volumes.exists(g, g.name == ${cel(graphVolume)} && has(g.persistentVolumeClaim) && g.persistentVolumeClaim.claimName == v.persistentVolumeClaim.claimName))`,
          message: "a second volume has the claim that the injected daemon keeps its data on",
        },
        {
          expression: "variables.beyondBaseline.size() == 0",
          messageExpression: naming(
            "beyondBaseline",
            'is beyond Pod Security "baseline", and is not the daemon as kubectl fabric injects it',
          ),
        },
        {
          expression: "variables.strangers.size() == 0",
          messageExpression: naming(
            "strangers",
            `mounts a volume of the injected daemon, and is neither a peer of the images in ConfigMap ${parameters.namespace}/${parameters.name} nor of the injection's own`,
          ),
        },
        {
          expression: `variables.ephemeral.all(c, (${isBaseline}) && !${mountsOurs})`,
          message:
            'an ephemeral container is beyond Pod Security "baseline", or mounts a volume of the injected daemon',
        },
        {
          expression: `variables.daemons.size() == 0 || (variables.ephemeral.all(c, !has(c.targetContainerName) || c.targetContainerName == "") && (!has(object.spec.shareProcessNamespace) || !object.spec.shareProcessNamespace))`,
          message:
            "beside an injected daemon no process namespace is shared, nor one targeted: through a process of the peer its socket is in reach",
        },
      ],
    },
  };
}

/** Of its registration the webhook writes what its certificates need: with the rest it could ask for every object of the cluster. */
function registrationPolicy(): V1ValidatingAdmissionPolicy {
  const fields = [
    "admissionReviewVersions",
    "failurePolicy",
    "matchConditions",
    "matchPolicy",
    "namespaceSelector",
    "objectSelector",
    "reinvocationPolicy",
    "rules",
    "sideEffects",
    "timeoutSeconds",
    "clientConfig.service",
    "clientConfig.url",
  ];
  const same = fields.map((name) => {
    const [now, before] = [`n.${name}`, `o.${name}`];
    return `has(${now}) == has(${before}) && (!has(${now}) || ${now} == ${before})`;
  });
  return {
    ...objectOf("ValidatingAdmissionPolicy", registrationPolicyName),
    spec: {
      failurePolicy: "Fail",
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: ["admissionregistration.k8s.io"],
            apiVersions: ["v1"],
            operations: ["UPDATE"],
            resources: ["mutatingwebhookconfigurations"],
            resourceNames: [registrationName],
          },
        ],
      },
      matchConditions: [{ name: "webhook", expression: `request.userInfo.username == ${cel(webhookUser)}` }],
      validations: [
        {
          expression: `object.webhooks.size() == oldObject.webhooks.size() && object.webhooks.all(n, oldObject.webhooks.exists(o, o.name == n.name && ${same.join(" && ")}))`,
          message: "the webhook may change the CA bundle of its registration, and nothing else",
          reason: "Forbidden",
        },
      ],
    },
  };
}

function podBinding(): V1ValidatingAdmissionPolicyBinding {
  return {
    ...objectOf("ValidatingAdmissionPolicyBinding", policyName),
    spec: {
      policyName,
      validationActions: ["Deny"],
      paramRef: { ...parameters, parameterNotFoundAction: "Deny" },
    },
  };
}

function registrationBinding(): V1ValidatingAdmissionPolicyBinding {
  return {
    ...objectOf("ValidatingAdmissionPolicyBinding", registrationPolicyName),
    spec: { policyName: registrationPolicyName, validationActions: ["Deny"] },
  };
}

const objectOf = <Kind extends string>(kind: Kind, name: string) => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind,
  metadata: { name, labels },
});
