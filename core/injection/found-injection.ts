import { isDeepStrictEqual } from "node:util";
import type { V1Container, V1Pod, V1Volume, V1VolumeMount } from "@kubernetes/client-node";
import { annotationKeys, documentationOf } from "./annotations.ts";
import { withoutEndSlashes } from "./mount-path.ts";
import { Denial } from "./outcome.ts";
import type { PeerContainer } from "./peer-container.ts";
import { archivesVolume, pullSecretsVolume } from "./preload.ts";
import { socketDirectory } from "./profile.ts";
import { quantity } from "./quantity.ts";
import { imageAllowed } from "./request.ts";
import type { Choice, InjectionSettings } from "./settings.ts";
import { graphVolume, idlerName, peerMount, preloaderName, sidecarName, socketVolume } from "./sidecar.ts";

/** What the injection would put into a Pod now. */
export interface PlannedInjection {
  readonly initContainers: readonly V1Container[];
  readonly containers: readonly V1Container[];
  readonly volumes: readonly V1Volume[];
}

/** The operator's limits: within them, a found injection may differ from what would be injected now. */
export interface FoundLimits extends Pick<InjectionSettings, "resources" | "storage" | "registryMirror"> {
  readonly images: Choice<string>;
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function isOurVolume(name: string): boolean {
  return [socketVolume, graphVolume, pullSecretsVolume].includes(name) || name.startsWith(archivesVolume);
}

/** Another volume of the Pod with the claim of the daemon's data. A container that writes there could decide what the daemon starts. */
export function secondGraph({ spec }: V1Pod, claim: string): string | undefined {
  return (spec?.volumes ?? []).find(
    (volume) =>
      volume.name !== graphVolume && fieldsOf(fieldsOf(volume)["persistentVolumeClaim"])["claimName"] === claim,
  )?.name;
}

function isOurContainer({ name }: V1Container): boolean {
  return [sidecarName, preloaderName, idlerName].includes(name);
}

function allContainers({ spec }: V1Pod): readonly V1Container[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
}

/** Names of the volumes that a container mounts, or uses as block devices. */
function volumesOf({ volumeMounts, volumeDevices }: V1Container): readonly string[] {
  const devices: unknown = volumeDevices;
  const named = Array.isArray(devices) ? devices.map((device) => String(fieldsOf(device)["name"])) : [];
  return [...(volumeMounts ?? []).map(({ name }) => name), ...named];
}

/** The first name of ours in a Pod: of a container, a volume, a mounted volume, or a mount path of the peer. */
export function nameOfOurs(pod: V1Pod, { container }: PeerContainer): string | undefined {
  return (
    allContainers(pod).find(isOurContainer)?.name ??
    (pod.spec?.volumes ?? []).find(({ name }) => isOurVolume(name))?.name ??
    allContainers(pod).flatMap(volumesOf).find(isOurVolume) ??
    (container.volumeMounts ?? []).map(({ mountPath }) => withoutEndSlashes(mountPath)).find(isOurPath)
  );
}

function isOurPath(path: string): boolean {
  return path === socketDirectory || path.startsWith(`${socketDirectory}/`);
}

/**
 * Checks a Pod that is marked as injected against what would be injected: the Pod's author can write the mark, too.
 * Additions of other admission webhooks that cannot change what runs are allowed: proxies, clouds' identities, tokens.
 * Throws Denial when the Pod differs otherwise from each of the `plans`; the sentence names the first difference from the first plan.
 */
export function checkFound(
  pod: V1Pod,
  peer: PeerContainer,
  plans: readonly PlannedInjection[],
  limits: FoundLimits,
): void {
  checkMounts(pod, peer);
  const differences = plans.map((plan) => differenceOf(pod, plan, limits));
  const [first] = differences;
  if (first !== undefined && !differences.includes(undefined)) throw altered(first.name, first.field);
}

/** Our volumes may be mounted by the peer, exactly as we mount them, and by our own containers, which `differenceOf` checks. */
function checkMounts(pod: V1Pod, peer: PeerContainer): void {
  const others = allContainers(pod).filter((container) => !isOurContainer(container) && container !== peer.container);
  const stranger = others.find((container) => volumesOf(container).some(isOurVolume));
  if (stranger !== undefined) throw altered(stranger.name, "volumeMounts");
  const mounts = (peer.container.volumeMounts ?? []).filter(
    ({ name, mountPath }) => isOurVolume(name) || isOurPath(withoutEndSlashes(mountPath)),
  );
  const same = mounts.every((mount) => isDeepStrictEqual(plainMount(mount), plainMount(peerMount())));
  const devices = volumesOf(peer.container).filter(isOurVolume).length - mounts.length;
  if (!same || devices > 0) throw altered(peer.container.name, "volumeMounts");
}

interface Difference {
  /** The name of a container or a volume. */
  readonly name: string;
  readonly field: string;
}

function differenceOf(pod: V1Pod, plan: PlannedInjection, limits: FoundLimits): Difference | undefined {
  const lists = [
    [pod.spec?.initContainers ?? [], plan.initContainers],
    [pod.spec?.containers ?? [], plan.containers],
  ] as const;
  for (const [all, planned] of lists) {
    const found = all.filter(isOurContainer);
    const missing = planned.find(({ name }) => found.filter((one) => one.name === name).length !== 1);
    if (missing !== undefined) return { name: missing.name, field: "place" };
    for (const container of found) {
      const field = containerDifference(
        container,
        planned.find(({ name }) => name === container.name),
        limits,
      );
      if (field !== undefined) return { name: container.name, field };
    }
  }
  return volumeDifference(pod, plan, limits);
}

/** The default terminationMessagePath of a container. */
export const terminationLog = "/dev/termination-log";

/** Fields that another webhook, an autoscaler or the API server's defaults may set, and fields with a check of their own. */
const notCompared: ReadonlySet<string> = new Set([
  "name",
  "image",
  "imagePullPolicy",
  "args",
  "env",
  "resources",
  "resizePolicy",
  "terminationMessagePath",
  "terminationMessagePolicy",
  "securityContext",
  "startupProbe",
  "livenessProbe",
  "volumeMounts",
]);

/** The first field in which a container differs from the planned one. */
function containerDifference(
  found: V1Container,
  planned: V1Container | undefined,
  limits: FoundLimits,
): string | undefined {
  if (planned === undefined) return "place";
  const [given, wanted] = [fieldsOf(found), fieldsOf(planned)];
  const compared = [...new Set([...Object.keys(given), ...Object.keys(wanted)])].filter(
    (field) => !notCompared.has(field),
  );
  const checks: Readonly<Record<string, boolean>> = {
    image: found.image === planned.image || imageAllowed(found.image ?? "", limits.images),
    args: sameArguments(found.args ?? [], planned.args ?? [], limits),
    env: sameEnvironment(found, planned),
    // The Pod may have got an AppArmor profile after the sidecar was made: that profile holds for the sidecar, too.
    securityContext: sameContext(plainContext(found), plainContext(planned)),
    startupProbe: sameProbe(given["startupProbe"], wanted["startupProbe"]),
    livenessProbe: sameProbe(given["livenessProbe"], wanted["livenessProbe"]),
    volumeMounts: sameMounts(found, planned),
    resources: withinBounds(found, limits) && plain(found.resources?.claims) === undefined,
    // The kubelet mounts an empty file there, over anything that the image has at this path.
    terminationMessagePath: ["", terminationLog].includes(found.terminationMessagePath ?? ""),
    ...Object.fromEntries(
      compared.map((field) => [field, isDeepStrictEqual(plain(given[field]), plain(wanted[field]))]),
    ),
  };
  return Object.keys(checks).find((field) => checks[field] === false);
}

/** Undefined for null and for an empty list, which mean the same. */
function plain(value: unknown): unknown {
  if (value === null) return undefined;
  return Array.isArray(value) && value.length === 0 ? undefined : value;
}

/** Equal except for the MTU, which is the node's, and the mirror, which may be any that the operator allows. */
function sameArguments(
  found: readonly string[],
  planned: readonly string[],
  { registryMirror }: Pick<FoundLimits, "registryMirror">,
): boolean {
  const mirrors = [registryMirror.default, ...registryMirror.allowed];
  const own = (argument: string): boolean => {
    const mirror = /^--registry-mirror=(.+)$/.exec(argument)?.[1];
    return /^--mtu=\d{3,5}$/.test(argument) || (mirror !== undefined && mirrors.includes(mirror));
  };
  const rest = (list: readonly string[]) => list.filter((argument) => !own(argument));
  return isDeepStrictEqual(rest(found), rest(planned));
}

/** Variables that other webhooks give to every container, and that do not control our programs. */
export const toleratedVariable = /^(?:(?:HTTPS?|NO|ALL|FTP)_PROXY|(?:AWS|AZURE|GOOGLE|KUBERNETES)_[A-Z0-9_]+)$/i;

function sameEnvironment({ env }: V1Container, planned: V1Container): boolean {
  const wanted = planned.env ?? [];
  const mine = (env ?? []).filter(({ name }) => !toleratedVariable.test(name));
  return (
    mine.length === wanted.length &&
    wanted.every(({ name, value }) => mine.some((variable) => isDeepStrictEqual(variable, { name, value })))
  );
}

/** The fields of a security context, without the API server's defaults. */
function contextEntries({ securityContext }: V1Container): readonly (readonly [string, unknown])[] {
  return Object.entries(fieldsOf(securityContext)).filter(
    ([name, value]) => value !== null && !(name === "procMount" && value === "Default"),
  );
}

function plainContext(container: V1Container): Fields {
  return Object.fromEntries(contextEntries(container));
}

function sameContext(found: Fields, planned: Fields): boolean {
  const { appArmorProfile, ...rest } = planned;
  return isDeepStrictEqual(found, planned) || (appArmorProfile !== undefined && isDeepStrictEqual(found, rest));
}

/** Compares what a probe runs or calls, but not how often: only the former decides what runs in the container. */
function sameProbe(found: unknown, planned: unknown): boolean {
  const asked = (probe: unknown): Fields => {
    const { exec, httpGet, tcpSocket, grpc } = fieldsOf(probe);
    return {
      exec: exec ?? undefined,
      httpGet: httpGet ?? undefined,
      tcpSocket: tcpSocket ?? undefined,
      grpc: grpc ?? undefined,
    };
  };
  return isDeepStrictEqual(asked(found), asked(planned));
}

function plainMount(mount: object): Fields {
  const { readOnly, ...rest } = fieldsOf(mount);
  const given = Object.entries(rest).filter(([, value]) => value !== null && value !== "");
  return Object.fromEntries([...given, ["readOnly", readOnly === true]]);
}

/** Whether a mount is of a token, which Kubernetes and clouds mount into every container. It must not propagate mounts made inside it. */
function isToken({ mountPath, mountPropagation, readOnly }: V1VolumeMount): boolean {
  const isPrivate = ["", "None"].includes(mountPropagation ?? "");
  return readOnly === true && isPrivate && /^\/(?:var\/)?run\/secrets\//.test(mountPath) && !mountPath.includes("..");
}

/** Equal except for tokens. The volume of pull secrets may be missing: it depends on the service account, which is not in a manifest. */
function sameMounts({ volumeMounts }: V1Container, planned: V1Container): boolean {
  const wanted = planned.volumeMounts ?? [];
  const mine = (volumeMounts ?? []).filter((mount) => isOurVolume(mount.name) || !isToken(mount));
  const known = mine.every((mount) => wanted.some((one) => isDeepStrictEqual(plainMount(one), plainMount(mount))));
  const needed = wanted.filter(({ name }) => name !== pullSecretsVolume);
  return known && needed.every(({ name }) => mine.some((mount) => mount.name === name));
}

function withinBounds({ resources }: V1Container, { resources: bounds }: FoundLimits): boolean {
  const limits = fieldsOf(fieldsOf(resources)["limits"]);
  const within = (found: unknown, maximum: string): boolean =>
    (quantity(String(found)) ?? Infinity) <= (quantity(maximum) ?? 0);
  return within(limits["cpu"], bounds.cpuLimit.maximum) && within(limits["memory"], bounds.memoryLimit.maximum);
}

function volumeDifference({ spec }: V1Pod, { volumes }: PlannedInjection, limits: FoundLimits): Difference | undefined {
  for (const planned of volumes) {
    const { name } = planned;
    const found = (spec?.volumes ?? []).filter((volume) => volume.name === name);
    const [only] = found;
    if (only === undefined && name === pullSecretsVolume) continue;
    if (only === undefined || found.length > 1 || !sameVolume(fieldsOf(only), fieldsOf(planned), limits))
      return { name, field: "source" };
  }
  return undefined;
}

function sameVolume(found: Fields, planned: Fields, { storage }: FoundLimits): boolean {
  const sources = (volume: Fields) =>
    Object.keys(volume)
      .filter((key) => plain(volume[key]) !== undefined)
      .toSorted();
  if (!isDeepStrictEqual(sources(found), sources(planned))) return false;
  const claim = (volume: Fields) => fieldsOf(volume["persistentVolumeClaim"])["claimName"];
  if (claim(found) !== claim(planned)) return false;
  if (planned["image"] !== undefined) return isDeepStrictEqual(found["image"], planned["image"]);
  if (planned["projected"] !== undefined) return holdsConfigurations(fieldsOf(found["projected"]));
  const size = (volume: Fields) => fieldsOf(volume["emptyDir"])["sizeLimit"];
  if (size(planned) === undefined) return true;
  return (quantity(String(size(found))) ?? Infinity) <= (quantity(storage.limit.maximum) ?? 0);
}

/**
 * Whether a volume has only Docker's configuration files. Their secrets depend on the service account. Other files are refused, for
 * Docker's command line runs plugins beside its configuration.
 */
function holdsConfigurations({ sources }: Fields): boolean {
  const isConfiguration = (item: unknown): boolean => /^\d+\/config\.json$/.test(String(fieldsOf(item)["path"]));
  const holds = (source: unknown): boolean => {
    const { items } = fieldsOf(fieldsOf(source)["secret"]);
    return Array.isArray(items) && items.length > 0 && items.every(isConfiguration);
  };
  return Array.isArray(sources) && sources.every(holds);
}

function altered(name: string, field: string): Denial {
  const key = annotationKeys.injected;
  const allowed = "what the injection itself would make";
  const what = field === "place" || field === "source" ? name : `${field} of ${name}`;
  const sentence = `the Pod says that it was injected, but ${what} is not as it would be`;
  return new Denial(
    "altered-injection",
    { key, value: `${name}: ${field}`, allowed, documentation: documentationOf("names") },
    `${sentence}: take the annotation ${key} and all that is called kubectl-fabric-… out of the Pod (a manifest of an older version: kubectl fabric eject -f, then inject -f)`,
  );
}

/** The parts in which two injections may differ, without additions of the API server and other webhooks; quantities as numbers. */
export function contentOf(containers: readonly V1Container[], volumes: readonly V1Volume[]): unknown {
  return {
    containers: containers.filter(isOurContainer).map((container) => ({
      name: container.name,
      image: container.image,
      command: plain(container.command),
      args: plain(container.args),
      env: (container.env ?? []).filter(({ name }) => !toleratedVariable.test(name)),
      mounts: (container.volumeMounts ?? [])
        .filter((mount) => isOurVolume(mount.name) || !isToken(mount))
        .map(plainMount),
      security: contextEntries(container).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      resources: sizes(container),
    })),
    volumes: volumes
      .filter(({ name }) => isOurVolume(name))
      .map((volume) => {
        const { emptyDir, persistentVolumeClaim } = volume;
        return {
          name: volume.name,
          claim: persistentVolumeClaim?.claimName,
          size: quantity(String(fieldsOf(emptyDir)["sizeLimit"])),
        };
      }),
  };
}

function sizes({ resources }: V1Container): unknown {
  const { requests, limits } = fieldsOf(resources);
  const read = (amounts: unknown) => {
    const values = fieldsOf(amounts);
    return Object.keys(values)
      .toSorted()
      .map((name) => [name, quantity(String(values[name]))]);
  };
  return [read(requests), read(limits)];
}
