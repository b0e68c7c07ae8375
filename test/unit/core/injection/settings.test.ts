import { expect, test } from "vitest";
import { parse } from "yaml";
import { defaultSettings, parseSettings } from "../../../../core/injection/settings.ts";

function problemsOf(yaml: string): readonly string[] {
  const parsed = parseSettings(parse(yaml));
  return parsed.valid ? [] : parsed.problems.map(({ key, value, allowed }) => `${key}: ${value} | ${allowed}`);
}

test("nothing said means the defaults, and the defaults are valid", () => {
  expect(parseSettings(undefined)).toEqual({ valid: true, settings: defaultSettings });
  expect(parseSettings(JSON.parse(JSON.stringify(defaultSettings)))).toEqual({
    valid: true,
    settings: defaultSettings,
  });
});

test("an operator's words replace the defaults, one by one", () => {
  const parsed = parseSettings(
    parse(`
      apiVersion: kubectl-fabric.io/v1alpha1
      kind: InjectionSettings
      profile: {default: sysbox, allowed: [privileged, sysbox]}
      images: {privileged: {default: "registry.example.com/dind:28"}}
      resources: {cpuLimit: {maximum: 4}, memoryLimit: {default: 4Gi}}
      storage: {claims: false}
      dockerSocket: {default: deny, allowed: [deny]}
      registryMirror: {default: "https://mirror.example.com"}
    `),
  );
  if (!parsed.valid) throw new Error(JSON.stringify(parsed.problems));
  const { settings } = parsed;
  expect(settings.profile).toEqual({ default: "sysbox", allowed: ["privileged", "sysbox"] });
  expect(settings.images.privileged).toEqual({
    default: "registry.example.com/dind:28",
    allowed: ["registry.example.com/dind:28"],
  });
  expect(settings.resources.cpuLimit).toEqual({ default: "2", minimum: "100m", maximum: "4" });
  expect(settings.resources.memoryLimit.default).toBe("4Gi");
  expect(settings.storage).toEqual({ ...defaultSettings.storage, claims: false });
  expect(settings.registryMirror.allowed).toEqual(["https://mirror.example.com"]);
});

test.each([
  [
    "profil: {default: x}",
    [
      "profil: profil | apiVersion, kind, profile, images, resources, storage, dockerSocket, chaincodeNetwork, registryMirror, peerImages, ownDaemon",
    ],
  ],
  ["kind: Deployment", ["kind: Deployment | InjectionSettings"]],
  [
    "[1]",
    [
      "settings: [1] | an object with apiVersion, kind, profile, images, resources, storage, dockerSocket, chaincodeNetwork, registryMirror, peerImages, ownDaemon",
    ],
  ],
  ["profile: {allowed: [root]}", ["profile.allowed: root | privileged, userns, sysbox, gvisor, rootless, restricted"]],
  ["profile: {default: sysbox}", ["profile.default: sysbox | one of profile.allowed: privileged, restricted"]],
  ["dockerSocket: {allowed: [deny]}", ["dockerSocket.default: replace | one of dockerSocket.allowed: deny"]],
  ["images: {privileged: {default: 'a b'}}", ["images.privileged.default: a b | an image reference"]],
  [
    "images: {privileged: {default: 'evil/dind:1', allowed: [docker.io/library/docker]}}",
    ["images.privileged.default: evil/dind:1 | one of images.privileged.allowed: docker.io/library/docker"],
  ],
  [
    "resources: {cpuLimit: {default: much}}",
    ['resources.cpuLimit.default: much | a Kubernetes quantity above 0, such as "500m" or "2Gi"'],
  ],
  ["resources: {cpuLimit: {default: 32}}", ["resources.cpuLimit.default: 32 | at most 16"]],
  ["resources: {memoryLimit: {minimum: 4Gi}}", ["resources.memoryLimit.minimum: 4Gi | at most 2Gi"]],
  ["resources: {cpuRequest: {default: 3}}", ["resources.cpuRequest.default: 3 | at most 2"]],
  ["storage: {claims: 'yes'}", ["storage.claims: yes | true or false"]],
  [
    "registryMirror: {allowed: ['https://user:secret@m']}",
    ["registryMirror: https://user:secret@m | http:// or https:// URLs without user, query and fragment"],
  ],
])("%s is refused by name", (yaml, expected) => {
  expect(problemsOf(yaml)).toEqual(expected);
});

test("every problem is reported at once, each with where it is documented", () => {
  const parsed = parseSettings({ storage: { claims: 1 }, kind: "x", nonsense: true });
  if (parsed.valid) throw new Error("taken");
  expect(parsed.problems.map(({ key }) => key).toSorted()).toEqual(["kind", "nonsense", "storage.claims"]);
  expect(new Set(parsed.problems.map(({ documentation }) => documentation))).toEqual(
    new Set(["docs/injection.md#settings"]),
  );
});
