import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { templatePath } from "../../../../../core/injection/manifest/template-path.ts";
import { ejectManifest, injectManifest } from "../../../../../core/injection/manifest/offline.ts";
import type { InjectionContext } from "../../../../../core/injection/inject.ts";
import type { FabricError } from "../../../../../core/error.ts";
import { defaultSettings } from "../../../../../core/injection/settings.ts";

const context: InjectionContext = { settings: defaultSettings, cluster: {}, version: "0.0.0" };
const injected = (text: string) => injectManifest(text, "peer.yaml", context);
const ejected = (text: string) => ejectManifest(text, "peer.yaml");

const deploymentText = `# The peer of org1.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: peer0 # as in the MSP
spec:
  replicas: 1
  selector: {matchLabels: {app: peer0}}
  template:
    metadata:
      labels: {app: peer0}
      annotations:
        kubectl-fabric.io/inject: "true"
    spec:
      initContainers:
      # waits for the orderer
      - name: wait
        image: busybox:1
      containers:
      - name: peer
        image: hyperledger/fabric-peer:2.5.15 # pinned
        env:
        # who it is
        - name: CORE_PEER_ID
          value: 'peer0'
        - {name: CORE_VM_ENDPOINT, value: "unix:///host/var/run/docker.sock"}

        # the ledger
        - name: CORE_PEER_FILESYSTEMPATH
          value: /var/hyperledger
        volumeMounts:
        - name: docker
          mountPath: /host/var/run/docker.sock
        - {name: keys, mountPath: /keys}
      volumes:
      - name: docker
        hostPath:
          path: /var/run/docker.sock
      - name: keys
        secret: {secretName: peer0, defaultMode: 0400}
`;

const serviceText = `---
# untouched:   down to its   spaces
apiVersion: v1
kind: Service
metadata: {  name: peer0  }
spec:
    ports:
        -   port: 7051
`;

test("a Deployment is injected, and what it does not touch stays as it is", () => {
  const { text, changed, templates, notices } = injected(deploymentText);
  expect({ changed, notices }).toEqual({ changed: true, notices: [] });
  expect(templates).toEqual([
    { owner: "Deployment peer0", result: "injected", detail: "peer in container peer", warnings: [] },
  ]);
  for (const kept of [
    "# The peer of org1.\n",
    "name: peer0 # as in the MSP\n",
    "      # waits for the orderer\n      - name: wait\n",
    "fabric-peer:2.5.15 # pinned\n",
    "        # who it is\n        - name: CORE_PEER_ID\n          value: 'peer0'\n",
    "\n        # the ledger\n",
    "defaultMode: 0400",
  ])
    expect(text).toContain(kept);
  expect(text).not.toContain("/var/run/docker.sock\n");
  const { spec } = (parse(text) as { spec: { template: { spec: { initContainers: { name: string }[] } } } }).spec
    .template;
  expect(spec.initContainers.map(({ name }) => name)).toEqual(["kubectl-fabric-dind", "wait"]);
});

test("ejecting gives the file back, to the letter", () => {
  expect(ejected(injected(deploymentText).text).text).toBe(deploymentText);
});

test("injecting again changes nothing, and with other settings the injection is made anew", () => {
  const once = injected(deploymentText).text;
  expect(injected(once)).toMatchObject({ text: once, changed: false });
  const settings = { ...defaultSettings, registryMirror: { default: "http://mirror.example", allowed: [] } };
  const other = injectManifest(once, "peer.yaml", { ...context, settings });
  expect(other.text).toContain("--registry-mirror=http://mirror.example");
  expect(other.text.match(/name: kubectl-fabric-dind/g)).toHaveLength(1);
  expect(ejected(other.text).text).toBe(deploymentText);
});

test("a file edited between injection and ejection keeps the edits", () => {
  const edited = injected(deploymentText)
    .text.replace("2.5.15", "3.1.5")
    .replace("      volumes:\n", "      volumes:\n      - {name: new, emptyDir: {}}\n")
    .replace("- name: CORE_PEER_ID", "- {name: NEW, value: x}\n        - name: CORE_PEER_ID");
  const back = ejected(edited);
  const expected = deploymentText
    .replace("2.5.15", "3.1.5")
    .replace("- name: CORE_PEER_ID", "- {name: NEW, value: x}\n        - name: CORE_PEER_ID");
  expect(parse(back.text)).toEqual(
    parse(
      expected.replace(
        "      - name: docker\n        hostPath:\n          path: /var/run/docker.sock\n",
        "      - name: docker\n        hostPath:\n          path: /var/run/docker.sock\n      - {name: new, emptyDir: {}}\n",
      ),
    ),
  );
  expect(back.templates[0]?.warnings).toEqual([]);
});

test("what somebody changed of the injection itself stays, and is said", () => {
  const edited = injected(deploymentText).text.replace("value: localhost:7052", "value: localhost:9999");
  const back = ejected(edited);
  expect(back.text).toContain("localhost:9999");
  expect(back.templates[0]?.warnings).toEqual([
    "/spec/containers/peer/env (CORE_PEER_CHAINCODEADDRESS) was changed since the injection, and stays",
  ]);
});

test("documents without an annotated template stay byte for byte, wherever they stand", () => {
  const text = `${serviceText}--- \n${deploymentText}${serviceText}---\n# nothing\n`;
  const { text: result } = injected(text);
  expect(result.startsWith(serviceText)).toBe(true);
  expect(result.endsWith(`${serviceText}---\n# nothing\n`)).toBe(true);
  expect(injected(serviceText)).toMatchObject({ text: serviceText, changed: false, templates: [] });
  expect(injected("")).toMatchObject({ text: "", changed: false, objects: [] });
});

const pod = (parse(deploymentText) as { spec: { template: { metadata: object; spec: object } } }).spec.template;

test.each([
  ["Pod", { apiVersion: "v1", kind: "Pod", ...pod, metadata: { ...pod.metadata, generateName: "peer-" } }],
  ["StatefulSet", { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "x" }, spec: { template: pod } }],
  ["DaemonSet", { apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name: "x" }, spec: { template: pod } }],
  ["ReplicaSet", { apiVersion: "apps/v1", kind: "ReplicaSet", metadata: { name: "x" }, spec: { template: pod } }],
  ["Job", { apiVersion: "batch/v1", kind: "Job", metadata: { name: "x" }, spec: { template: pod } }],
  [
    "CronJob",
    {
      apiVersion: "batch/v1",
      kind: "CronJob",
      metadata: { name: "x" },
      spec: { jobTemplate: { spec: { template: pod } } },
    },
  ],
  ["PodTemplate", { apiVersion: "v1", kind: "PodTemplate", metadata: { name: "x" }, template: pod }],
  [
    "a custom resource that is built like a Deployment",
    { apiVersion: "argoproj.io/v1alpha1", kind: "Rollout", metadata: { name: "x" }, spec: { template: pod } },
  ],
  [
    "List",
    {
      apiVersion: "v1",
      kind: "List",
      items: [{ kind: "Service" }, { kind: "Deployment", metadata: { name: "x" }, spec: { template: pod } }],
    },
  ],
])("%s: in YAML and in JSON, there and back", (_, object) => {
  for (const text of [stringify(object), `${JSON.stringify(object, null, 2)}\n`, `${JSON.stringify(object)}\n`]) {
    const there = injected(text);
    expect(there.changed).toBe(true);
    expect(there.text.match(/kubectl-fabric-dind/g)?.length).toBeGreaterThan(0);
    expect(ejected(there.text).text).toBe(text);
  }
});

test("CRLF stays, and so does a missing end of line", () => {
  const text = deploymentText.replaceAll("\n", "\r\n").trimEnd();
  const there = injected(text);
  expect(there.text.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
  expect(ejected(there.text).text).toBe(text);
});

test("a change that leads through an anchor writes the document anew, and says so", () => {
  const text = `x-env: &env\n  - {name: CORE_PEER_ID, value: a}\n${deploymentText.replace(/ {8}env:\n[^]*? {8}volumeMounts:/, "        env: *env\n        volumeMounts:")}`;
  const { text: result, notices } = injected(text);
  expect(notices).toEqual([expect.stringContaining("anchors")]);
  const found = parse(result) as { "x-env": unknown[] };
  expect(found["x-env"]).toEqual([{ name: "CORE_PEER_ID", value: "a" }]);
  expect(parse(ejected(result).text)).toEqual(parse(text, { version: "1.1" }));
});

test("the reading is kubectl's: `on` is no text, 0400 is octal, and a text that looks like it is quoted", () => {
  const text = deploymentText
    .replace("value: 'peer0'", 'value: "on"')
    .replace('value: "unix:///host/var/run/docker.sock"', 'value: "off"');
  const back = ejected(injected(text).text);
  expect(back.text).toBe(text);
  const [deployment] = injected(text).objects as {
    spec: { template: { spec: { volumes: { secret?: { defaultMode: number } }[] } } };
  }[];
  expect(deployment?.spec.template.spec.volumes.find(({ secret }) => secret)?.secret?.defaultMode).toBe(256);
});

test("a daemon of the Pod's own is used, and said to be", () => {
  const text = readFileSync(join(golden, "own-dind-socket", "pod.yaml"), "utf8");
  const notices = [
    "Pod peer0: container docker runs Docker already: the peer uses it, at unix:///host/var/run/docker.sock, and no other was added",
  ];
  const there = injected(text);
  expect(there.notices).toEqual(notices);
  expect(injected(there.text)).toMatchObject({ changed: false, notices });
  expect(ejected(there.text).notices).toEqual([]);
});

const chartText = `---
# Source: peer/templates/service.yaml
apiVersion: v1
kind: Service
metadata:
  name: peer0
  labels: {app.kubernetes.io/name: peer, app.kubernetes.io/name: "peer0"}
---
# Source: peer/templates/deployment.yaml
${deploymentText
  .replace("replicas: 1", "replicas: 1\n  replicas: 2 # theirs")
  .replace("        env:", "        env: [{name: GONE, value: x}]\n        env:")}`;

test("of equal keys the last one counts, and the notice names them; what has no peer stays byte for byte", () => {
  const there = injected(chartText);
  expect(there.notices).toEqual([
    'Service peer0: metadata.labels["app.kubernetes.io/name"] is there twice (line 7): the last counts, as for kubectl and Helm',
    "Deployment peer0: spec.replicas is there twice (lines 16 and 17): the last counts, as for kubectl and Helm",
    "Deployment peer0: spec.template.spec.containers[0].env is there twice (lines 32 and 33): the last counts, as for kubectl and Helm",
  ]);
  expect(there.text.startsWith(chartText.slice(0, chartText.indexOf("---\n# Source: peer/templates/dep")))).toBe(true);
  expect(there.text).toContain("  replicas: 1\n  replicas: 2 # theirs\n");
  expect(there.objects).toEqual([
    expect.objectContaining({ metadata: { name: "peer0", labels: { "app.kubernetes.io/name": "peer0" } } }),
    expect.objectContaining({ spec: expect.objectContaining({ replicas: 2 }) as unknown }),
  ]);
  const names = JSON.stringify(there.objects[1]).match(/"name":"[A-Z_]+"/g);
  expect(names).toContain('"name":"CORE_VM_ENDPOINT"');
  expect(names).not.toContain('"name":"GONE"');
  expect(ejected(there.text).text).toBe(chartText);
  expect(injected(there.text)).toMatchObject({ text: there.text, changed: false });
});

test("a key that is there far too often is named, and others are counted", () => {
  const text = `kind: ConfigMap\ndata: {${"abcdefgh".replaceAll(/./g, "k$&: 1, k$&: 2, k$&: 3, ")}}\n`;
  const { notices } = injected(text);
  expect(notices).toHaveLength(6);
  expect(notices[0]).toBe("ConfigMap: data.ka is there 3 times (line 2): the last counts, as for kubectl and Helm");
  expect(notices[5]).toBe("ConfigMap: 3 more keys are there more than once");
});

test("objects of JSON one after another, and JSON between lines of ---", () => {
  const deployment = JSON.stringify(parse(deploymentText, { version: "1.1" }));
  const service = '{ "kind":  "Service" }';
  for (const text of [
    `${service}${deployment}\n\n${service}\n`,
    `${service}\n---\n${deployment}\n--- # last\n${service}`,
    `${service}\r\n${JSON.stringify(JSON.parse(deployment), null, "\t").replaceAll("\n", "\r\n")}`,
  ]) {
    const there = injected(text);
    expect(there.templates).toMatchObject([{ result: "injected" }]);
    expect(there.text.startsWith(service)).toBe(true);
    expect(there.text.replaceAll("\r\n", "").includes("\n")).toBe(!text.includes("\r"));
    expect(ejected(there.text).text).toBe(text);
  }
});

test("a byte order mark stays, and is no part of what is read", () => {
  for (const text of [`\uFEFF${deploymentText}`, `\uFEFF---\n${deploymentText}`, '\uFEFF{"kind":"Service"}']) {
    const there = injected(text);
    expect(there.text.startsWith("\uFEFF")).toBe(true);
    expect(there.text.lastIndexOf("\uFEFF")).toBe(0);
    expect(ejected(there.text).text).toBe(text);
  }
});

test("the objects of a PodList do not say their kind, the list does", () => {
  const text = JSON.stringify({
    kind: "PodList",
    items: [{ metadata: { name: "peer0", ...pod.metadata }, spec: pod.spec }],
  });
  const there = injected(text);
  expect(there.templates).toMatchObject([{ owner: "Pod peer0", result: "injected" }]);
  expect(ejected(there.text).text).toBe(text);
});

test("templates of a custom resource are injected where a path leads to them, there and back", () => {
  const text = stringify({
    kind: "Peers",
    items: 1,
    spec: { peers: [{ name: "a", template: structuredClone(pod) }, { template: pod }] },
  });
  const templates = templatePath("spec.peers[*].template");
  const there = injectManifest(text, "peer.yaml", { ...context, templates });
  expect(there.templates).toMatchObject([{ owner: "Peers", result: "injected" }, { result: "injected" }]);
  expect(injected(text)).toMatchObject({ changed: false, templates: [] });
  expect(ejectManifest(there.text, "peer.yaml", templates).text).toBe(text);
  expect(() => injectManifest(serviceText, "peer.yaml", { ...context, templates })).toThrow(
    "peer.yaml: expected a Pod template at the path, found none with spec.containers",
  );
  const all = { ...context, templates: templatePath("spec.template") };
  expect(injectManifest(deploymentText, "peer.yaml", all).text).toBe(injected(deploymentText).text);
});

test("a peer of another operator's is named, with what to do instead", () => {
  const text = `apiVersion: hlf.kungfusoftware.es/v1alpha1
kind: FabricPeer
metadata: {name: org1-peer0}
spec: {image: hyperledger/fabric-peer, externalBuilders: []}
---
apiVersion: ibp.com/v1beta1
kind: IBPPeer
metadata: {name: peer1}
---
apiVersion: example.com/v1
kind: FabricPeer
`;
  expect(injected(text).notices).toEqual([
    "FabricPeer org1-peer0: nothing can be injected here, for bevel-operator-fabric writes the Deployment: annotate the Pod template of that one, for the webhook (docs/injection.md#peers-of-operators)",
    expect.stringMatching(/^IBPPeer peer1: nothing can be injected here, for fabric-operator writes the Deployment/),
  ]);
});

test("what is nested too deep is no defect of ours", () => {
  for (const text of [`a: ${"[".repeat(20_000)}`, `a: ${"{b: ".repeat(10_000)}`, "- ".repeat(20_000)])
    expect(() => injected(text)).toThrow(expect.objectContaining({ code: "invalid" }) as Error);
});

test("Helm is named where a template stands, and not where none does", () => {
  const hintOf = (text: string): unknown => {
    try {
      return injected(text).text;
    } catch (error) {
      return (error as FabricError).hint;
    }
  };
  expect(hintOf("a: {{ .Values.a }}\n")).toContain("is it a Helm template? Render it first: helm template ... | ");
  expect(hintOf("a: [b\n")).toBeUndefined();
});

test("annotations in the wrong place or form are said", () => {
  const misplaced = deploymentText.replace(
    "  name: peer0 #",
    '  annotations: {kubectl-fabric.io/inject: "true"}\n  name: peer0 #',
  );
  expect(injected(misplaced).notices).toEqual([
    "Deployment peer0: kubectl-fabric.io/inject has no effect here: it belongs to the Pod template",
  ]);
  expect(() => injected(deploymentText.replace('inject: "true"', "inject: true"))).toThrow(
    /expected a text, found true/,
  );
});

test.each([
  [
    "a denial is the webhook's",
    deploymentText.replace('inject: "true"', 'injekt: "true"\n        kubectl-fabric.io/inject: "true"'),
    "rejected",
    /^peer.yaml: Deployment peer0: kubectl-fabric.io\/injekt is not an annotation/,
  ],
  ["what is no YAML", `${serviceText}---\na: [b\n`, "invalid", /^peer.yaml is not YAML: line \d+: /],
  ["what is no JSON", "{", "invalid", /begins like JSON/],
  [
    "an alias bomb",
    `a: &a [${"x,".repeat(99)}]\nb: &b [${"*a,".repeat(99)}]\nc: [${"*b,".repeat(99)}]\n`,
    "invalid",
    /alias/i,
  ],
  [
    "two containers of a name",
    deploymentText
      .replace("      containers:\n", "      containers:\n      - {name: peer, image: x}\n")
      .replace("- name: wait", "- name: w"),
    "invalid",
    /two called "peer"/,
  ],
])("%s is said as such", (_, text, code, message) => {
  expect(() => injected(text)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) as string }) as Error,
  );
});

test("a record that somebody damaged, and one that the webhook never wrote, are refused", () => {
  const text = injected(deploymentText).text;
  const damaged = text.replace(
    /kubectl-fabric.io\/original: .*/,
    `kubectl-fabric.io/original: '{"lists":[{"path":"/metadata/name"}],"fields":[]}'`,
  );
  expect(() => ejected(damaged)).toThrow(/kubectl-fabric.io\/original as it was written/);
  expect(() => ejected(text.replace(/ *kubectl-fabric.io\/original: .*\n/, ""))).toThrow(/injected by the webhook/);
});

const golden = join(import.meta.dirname, "../golden");

describe("every golden Pod that can be injected, there and back", () => {
  test.each(
    readdirSync(golden).filter(
      (name) =>
        readdirSync(join(golden, name)).includes("injected.yaml") &&
        !readdirSync(join(golden, name)).includes("context.yaml"),
    ),
  )("%s", (name) => {
    const text = readFileSync(join(golden, name, "pod.yaml"), "utf8");
    const there = injected(text);
    expect(there.changed).toBe(true);
    expect(injected(there.text)).toMatchObject({ text: there.text, changed: false });
    expect(parse(ejected(there.text).text)).toEqual(parse(text));
  });
});
