import { describe, expect, test } from "vitest";
import { defaultSettings } from "../../../../core/injection/settings.ts";
import { profileNames, type ProfileName } from "../../../../core/injection/profile.ts";
import { clusterFindings } from "../../../../core/doctor/cluster-findings.ts";
import type { ClusterReading, NamespaceReading, Trial } from "../../../../core/doctor/facts.ts";
import type { Known } from "../../../../core/doctor/finding.ts";
import { namespaceReport } from "../../../../core/doctor/namespace-findings.ts";
import { trialPod } from "../../../../core/doctor/trial-pod.ts";
import type { V1Node, V1Pod } from "../../../../core/kubernetes/client-node.ts";
import type { WebhookStatus } from "../../../../core/installation/webhook.ts";
import { typedAs, typedHint } from "../../../typed-as.ts";

const known = <T>(value: T): Known<T> => ({ known: true, value });
const hidden = { known: false, because: "rights are missing (no)" } as const;

interface NodeWords {
  readonly name?: string;
  readonly kubelet?: string;
  readonly kernel?: string;
  readonly ready?: boolean;
  readonly system?: string;
  readonly userNamespaces?: boolean;
}

function node(words: NodeWords = {}): V1Node {
  const { name = "a", kubelet = "v1.36.3", kernel = "6.12.9-amd64", ready = true, system = "linux" } = words;
  const nodeInfo = {
    kubeletVersion: kubelet,
    kernelVersion: kernel,
    operatingSystem: system,
    architecture: "amd64",
    containerRuntimeVersion: "containerd://2.1.9",
  };
  const { userNamespaces } = words;
  return {
    metadata: { name },
    status: {
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      nodeInfo: nodeInfo as NonNullable<NonNullable<V1Node["status"]>["nodeInfo"]>,
      ...(userNamespaces === undefined ? {} : { runtimeHandlers: [{ name: "", features: { userNamespaces } }] }),
    },
  };
}

const webhook: WebhookStatus = {
  ready: true,
  installed: true,
  image: "webhook:1",
  replicas: { ready: 2, wanted: 2 },
  trusted: true,
  certificateDaysLeft: 149,
  certificates: [{ holder: "MutatingWebhookConfiguration", role: "trusted", fingerprint: "AA:BB:CC:DD" }],
  namespaces: ["org1"],
};

const cluster = (change: Partial<ClusterReading> = {}): ClusterReading => ({
  apiServer: known("v1.36.3"),
  nodes: known([node()]),
  runtimeClasses: known([]),
  storageClasses: known([
    {
      metadata: { name: "fast", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
      provisioner: "p",
    },
  ]),
  webhook: known(webhook),
  settings: known(defaultSettings),
  ...change,
});

const trials = (trial: Trial, change: Partial<Record<ProfileName, Trial>> = {}): NamespaceReading["trials"] => ({
  ...(Object.fromEntries(profileNames.map((name) => [name, trial])) as Record<ProfileName, Trial>),
  ...change,
});
const admitted: Trial = { result: "admitted" };
const refused = (message: string): Trial => ({ result: "refused", message });
const unasked: Trial = { result: "unknown", because: "you may not create Pods" };

const optedIn = { "kubectl-fabric.io/injection": "enabled" };
const namespace = (change: Partial<NamespaceReading> = {}): NamespaceReading => ({
  name: "org1",
  labels: known(optedIn),
  trials: trials(admitted),
  pods: known([]),
  missingRights: known([]),
  ...change,
});

const told = (findings: readonly { readonly level: string; readonly about: string }[], about: string) =>
  findings.filter((finding) => finding.about === about).map(({ level }) => level);

describe("the cluster", () => {
  test("that can do all has nothing but ok", () => {
    expect(clusterFindings(cluster()).map(({ level }) => level)).toEqual(["ok", "ok", "ok", "ok"]);
  });

  test.each<[string, Partial<ClusterReading>, string, string, RegExp]>([
    [
      "a kubelet before native sidecars",
      { nodes: known([node(), node({ kubelet: "v1.28.4" })]) },
      "cluster",
      "warning",
      /kubelet 1\.28\.4.*1\.29/,
    ],
    [
      "an API server before native sidecars",
      { apiServer: known("v1.28.0") },
      "cluster",
      "warning",
      /ordinary container/,
    ],
    ["an API server that is too old", { apiServer: known("v1.26.1") }, "cluster", "problem", /expected 1\.27/],
    ["an API server that does not say", { apiServer: hidden }, "cluster", "unknown", /rights are missing/],
    [
      "one node of two that is not ready",
      { nodes: known([node(), node({ name: "b", ready: false })]) },
      "nodes",
      "warning",
      /1 of 2 not ready: b/,
    ],
    ["no node that is ready", { nodes: known([node({ ready: false })]) }, "nodes", "problem", /1 of 1 not ready/],
    ["Windows alone", { nodes: known([node({ system: "windows" })]) }, "nodes", "problem", /Linux node/],
    ["nodes that may not be read", { nodes: hidden }, "nodes", "unknown", /rights are missing/],
    [
      "no webhook",
      { webhook: known({ ...webhook, installed: false, ready: false }) },
      "webhook",
      "problem",
      /not installed/,
    ],
    [
      "a webhook without Pods",
      { webhook: known({ ...webhook, ready: false, replicas: { ready: 0, wanted: 2 } }) },
      "webhook",
      "problem",
      /0 of 2/,
    ],
    [
      "a webhook that is not trusted",
      { webhook: known({ ...webhook, ready: false, trusted: false }) },
      "webhook",
      "problem",
      /CA is not registered/,
    ],
    [
      "a webhook that rolls out",
      { webhook: known({ ...webhook, ready: false, replicas: { ready: 1, wanted: 2 } }) },
      "webhook",
      "warning",
      /1 of 2/,
    ],
    [
      "a certificate that ends soon",
      { webhook: known({ ...webhook, certificateDaysLeft: 3 }) },
      "webhook",
      "warning",
      /for 3 days/,
    ],
    ["a webhook that may not be read", { webhook: hidden }, "webhook", "unknown", /rights are missing/],
    [
      "no default storage class",
      { storageClasses: known([{ metadata: { name: "slow" }, provisioner: "p" }]) },
      "storage",
      "warning",
      /found slow/,
    ],
    ["no storage class", { storageClasses: known([]) }, "storage", "warning", /none at all/],
  ])("%s", (_, change, about, level, text) => {
    const findings = clusterFindings(cluster(change)).filter((finding) => finding.about === about);
    expect(findings.map((finding) => `${finding.level} ${finding.text}`)).toContainEqual(
      expect.stringMatching(new RegExp(`^${level} .*${text.source}`)),
    );
    const bad = findings.filter((finding) => finding.level === "warning" || finding.level === "problem");
    expect(bad.filter(({ hint }) => hint === undefined)).toEqual([]);
  });
});

describe("the profiles of a namespace", () => {
  const enforcing = (level: string) => known({ ...optedIn, "pod-security.kubernetes.io/enforce": level });
  const violates = refused('violates PodSecurity "restricted:latest": privileged');
  const userns = (words: NodeWords) => ({ nodes: known([node(words)]) });

  test.each<[string, Partial<ClusterReading>, Partial<NamespaceReading>, string, string | undefined]>([
    ["all are admitted, none has a runtime class", {}, {}, "privileged userns rootless restricted", "privileged"],
    [
      "the runtime classes are there",
      { runtimeClasses: known(["gvisor", "sysbox-runc"]) },
      {},
      profileNames.join(" "),
      "privileged",
    ],
    [
      "the API server refuses all but one",
      {},
      { trials: trials(violates, { restricted: admitted }) },
      "restricted",
      "restricted",
    ],
    ["it refuses every one", {}, { trials: trials(refused("exceeded quota: q, requested: pods=1")) }, "", undefined],
    [
      "by the label: privileged",
      {},
      { trials: trials(unasked) },
      "privileged userns rootless restricted",
      "privileged",
    ],
    [
      "by the label: restricted",
      {},
      { trials: trials(unasked), labels: enforcing("restricted") },
      "restricted",
      "restricted",
    ],
    [
      "by the label: baseline, with sysbox",
      { runtimeClasses: known(["sysbox-runc"]) },
      { trials: trials(unasked), labels: enforcing("baseline") },
      "sysbox restricted",
      "restricted",
    ],
    ["neither asked nor labels", {}, { trials: trials(unasked), labels: hidden }, "", undefined],
    ["an old kernel", userns({ kernel: "6.1.0-13-amd64" }), {}, "privileged rootless", "privileged"],
    ["a kernel between", userns({ kernel: "6.8.0-45-generic" }), {}, "privileged userns rootless", "privileged"],
    [
      "a runtime without user namespaces",
      userns({ userNamespaces: false }),
      {},
      "privileged rootless restricted",
      "privileged",
    ],
    [
      "a runtime with them",
      userns({ userNamespaces: true }),
      {},
      "privileged userns rootless restricted",
      "privileged",
    ],
    [
      "kubelets that are too old for user namespaces",
      userns({ kubelet: "v1.32.1" }),
      {},
      "privileged rootless restricted",
      "privileged",
    ],
    ["nodes that may not be read", { nodes: hidden }, {}, "privileged rootless", "privileged"],
    [
      "an operator who allows one alone",
      { settings: known({ ...defaultSettings, profile: { default: "restricted", allowed: ["restricted"] } }) },
      {},
      "privileged userns rootless restricted",
      "restricted",
    ],
    [
      "that one is not possible",
      {
        ...userns({ kernel: "5.10" }),
        settings: known({ ...defaultSettings, profile: { default: "restricted", allowed: ["restricted"] } }),
      },
      {},
      "privileged rootless",
      undefined,
    ],
  ])("%s", (_, change, reading, possible, best) => {
    const report = namespaceReport(cluster(change), namespace(reading));
    const found = report.profiles.filter((verdict) => verdict.possible === "yes").map(({ profile }) => profile);
    expect(found.join(" ")).toBe(possible);
    expect(report.recommended).toBe(best);
    const [first] = report.findings;
    const levels = best === "privileged" ? ["ok"] : best === undefined ? ["problem", "unknown"] : ["ok", "warning"];
    expect(levels).toContain(first?.level);
  });

  test("a node of several that cannot is a caution, with the node's name", () => {
    const nodes = known([node(), node({ name: "old", kernel: "5.10.0" })]);
    const { profiles, findings } = namespaceReport(cluster({ nodes }), namespace());
    const restricted = profiles.find(({ profile }) => profile === "restricted");
    expect(restricted).toMatchObject({
      possible: "yes",
      caution: expect.stringMatching(/1 of 2 nodes.*old/) as string,
    });
    expect(findings).toContainEqual(
      expect.objectContaining({
        level: "warning",
        text: restricted?.caution && `profile restricted: ${restricted.caution}`,
      }),
    );
  });

  test("the default's refusal is a warning that names what to type", () => {
    const { findings } = namespaceReport(cluster(), namespace({ trials: trials(violates, { restricted: admitted }) }));
    expect(findings.map(({ level }) => level)).toEqual(["warning", "warning", "ok"]);
    expect(typedHint(findings[0])).toContain("--profile restricted");
    expect(typedHint(findings[1])).toContain(
      "kubectl label namespace org1 pod-security.kubernetes.io/enforce=privileged",
    );
  });

  test.each([
    ["exceeded quota: small, requested: limits.memory=2Gi", "describe resourcequota"],
    ["maximum memory usage per Container is 1Gi, but limit is 2Gi", "describe limitrange"],
  ])("%s", (message, hint) => {
    const { findings } = namespaceReport(cluster(), namespace({ trials: trials(refused(message)) }));
    expect(findings[0]).toMatchObject({ level: "problem" });
    expect(findings[1]).toMatchObject({
      text: `profile privileged is refused: ${message}`,
      hint: typedAs(expect.stringContaining(hint)),
    });
  });
});

describe("a namespace", () => {
  const peer = (
    name: string,
    annotations: Record<string, string>,
    spec: Partial<V1Pod["spec"]> = {},
    phase = "Running",
  ): V1Pod => ({
    metadata: { name, namespace: "org1", annotations },
    spec: { containers: [{ name: "peer", image: "hyperledger/fabric-peer:2.5" }], ...spec },
    status: { phase },
  });
  const socket = { volumes: [{ name: "run", hostPath: { path: "/var/run" } }] };
  const wish = { "kubectl-fabric.io/inject": "true" };
  const done = { ...wish, "kubectl-fabric.io/injected": "1/abc" };

  test.each<[string, V1Pod[], string[]]>([
    ["no peers", [{ metadata: { name: "web" }, spec: { containers: [{ name: "web", image: "nginx" }] } }], []],
    ["an injected peer", [peer("p", done)], ["ok"]],
    ["a peer on the node's socket", [peer("p", {}, socket)], ["warning"]],
    ["one that says no", [peer("p", { "kubectl-fabric.io/inject": "false" }, socket)], ["warning"]],
    ["one that keeps the socket beside its sidecar", [peer("p", done, socket)], ["ok"]],
    ["a peer that was made while the webhook was away", [peer("p", wish)], ["problem"]],
    ["one of each", [peer("a", done), peer("b", {}, socket), peer("c", wish)], ["ok", "warning", "problem"]],
    ["one that has ended", [peer("p", wish, {}, "Failed")], []],
  ])("%s", (_, pods, levels) => {
    const { findings } = namespaceReport(cluster(), namespace({ pods: known(pods) }));
    // The first two: profiles and rights.
    expect(findings.slice(2).map(({ level }) => level)).toEqual(levels);
    for (const finding of findings.filter(({ level }) => level !== "ok"))
      expect(typedHint(finding)).toMatch(/kubectl|annotate/);
  });

  test("a Pod is told to be deleted only where a controller makes it anew", () => {
    const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "p", uid: "1", controller: true };
    const owned = peer("p", wish);
    owned.metadata!.ownerReferences = [owner];
    const hints = [owned, peer("p", wish)].map((pod) => {
      const { findings } = namespaceReport(cluster(), namespace({ pods: known([pod]) }));
      return typedHint(findings[2]);
    });
    expect(hints).toEqual([
      "kubectl -n org1 delete pod p: its controller makes it anew",
      "keep what it has outside of volume claims, and make it anew from its manifest: no controller does, " +
        "kubectl -n org1 get pod p -o yaml shows it",
    ]);
  });

  test("without its label, its rights and its Pods: each is said", () => {
    const reading = namespace({ labels: known({}), missingRights: known(["create Secret"]), pods: hidden });
    const { findings } = namespaceReport(cluster({ settings: hidden }), reading);
    expect(told(findings, "namespace org1")).toEqual(["warning", "ok", "unknown", "warning", "unknown"]);
    expect(typedHint(findings[0])).toBe("kubectl label namespace org1 kubectl-fabric.io/injection=enabled");
    expect(findings[3]?.text).toContain("create Secret");
  });
});

describe("the Pod that is tried", () => {
  test.each(profileNames)("of the profile %s has the sidecar and none of our annotations", (profile) => {
    const pod = trialPod("org1", profile, defaultSettings, {});
    expect(pod).toMatchObject({ metadata: { namespace: "org1", generateName: "kubectl-fabric-doctor-" } });
    if (typeof pod === "string") throw new Error(pod);
    expect(pod.metadata?.annotations).toBeUndefined();
    expect(pod.spec?.initContainers?.map(({ name }) => name)).toEqual(["kubectl-fabric-dind"]);
    const privileged = pod.spec?.initContainers?.[0]?.securityContext?.privileged;
    expect(privileged).toBe(
      ["privileged", "userns", "rootless"].includes(profile) ? true : profile === "gvisor" ? undefined : false,
    );
  });

  test("on a cluster that is too old is the injection's own refusal", () => {
    const apiServer = { major: 1, minor: 30, patch: 0 };
    expect(trialPod("org1", "userns", defaultSettings, { apiServer })).toMatch(/Kubernetes 1\.33/);
  });
});
