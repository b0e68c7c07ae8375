// What an operator of a cluster asks before letting a webhook in: what happens when it is down, where a denial shows, and what
// its own Pods may do.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { newKubectl } from "../../sandbox/kubectl.ts";
import { listProcesses } from "../../sandbox/processes.ts";
import { newPlugin } from "../plugin-process.ts";

const { kubeconfig, binDir, sandbox, nodeImage } = inject("cluster");
const { output: pluginOutput } = newPlugin();
const kubectl = newKubectl(binDir, kubeconfig);
const system = ["-n", "kubectl-fabric-system"];
const namespace = `operations-${process.pid}`;
const other = `operations-other-${process.pid}`;
const sidecar = "kubectl-fabric-dind";
const wish = { "kubectl-fabric.io/inject": "true" };

interface Container {
  readonly name: string;
}
interface Pod {
  readonly spec: { readonly initContainers?: readonly Container[] };
}

beforeAll(async () => {
  await pluginOutput(["webhook", "install"]);
  const make = (name: string, labels: object) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
  const privileged = { "pod-security.kubernetes.io/enforce": "privileged" };
  await kubectl.apply(
    make(namespace, { ...privileged, "kubectl-fabric.io/injection": "enabled" }),
    make(other, privileged),
  );
  for (const name of [namespace, other])
    await kubectl(["-n", name, "wait", "--for=create", "serviceaccount/default", "--timeout=60s"]);
});

afterAll(async () => {
  await kubectl(["delete", "namespace", namespace, other, "--wait=true", "--timeout=120s"]);
  await pluginOutput(["webhook", "uninstall", "--yes"]);
});

async function until<T>(what: string, look: () => Promise<T | undefined>, seconds = 60): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    await sleep(500);
  }
}

/** A Pod's metadata and spec, as a Pod of its own or of a template. */
function peer(annotations: Readonly<Record<string, string>>) {
  return {
    metadata: { labels: { app: "peer" }, annotations },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: "peer",
          image: nodeImage,
          imagePullPolicy: "IfNotPresent",
          command: ["node", "-e", "require('net').createServer().listen(7000)"],
          env: [{ name: "CORE_PEER_ID", value: "peer0" }],
        },
      ],
    },
  };
}

function podOf(name: string, where: string, annotations: Readonly<Record<string, string>>) {
  const { metadata, spec } = peer(annotations);
  return { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name, namespace: where }, spec };
}

function workload(kind: "Deployment" | "StatefulSet", name: string, annotations: Readonly<Record<string, string>>) {
  const selector = { matchLabels: { app: "peer" } };
  const spec = {
    replicas: 1,
    selector,
    template: peer(annotations),
    ...(kind === "StatefulSet" && { serviceName: name }),
  };
  return { apiVersion: "apps/v1", kind, metadata: { name, namespace }, spec };
}

/** Messages of the events of one reason about one kind of object. */
async function events(kind: string, reason: string): Promise<string> {
  const selector = `--field-selector=involvedObject.kind=${kind},reason=${reason}`;
  return kubectl(["-n", namespace, "get", "events", selector, "-o", "jsonpath={.items[*].message}"]);
}

const ready = (name: string, where: string) =>
  kubectl(["-n", where, "wait", "--for=condition=Ready", `pod/${name}`, "--timeout=120s"]);

test("a Pod that is denied is not silent: its owner's event and its Deployment's condition carry our sentence", async () => {
  const key = "kubectl-fabric.io/dind-memory-limit";
  await kubectl.apply(workload("Deployment", "denied", { ...wish, [key]: "plenty" }));
  const sentence = new RegExp(`${key}: expected a quantity.*found "plenty".*docs/injection.md#dind-memory-limit`);
  const event = await until("the event", async () => {
    const text = await events("ReplicaSet", "FailedCreate");
    return sentence.test(text) ? text : undefined;
  });
  expect(event).toContain('admission webhook "inject.kubectl-fabric.io" denied the request');
  const condition = 'jsonpath={.status.conditions[?(@.type=="ReplicaFailure")].message}';
  const message = await until("the condition", async () => {
    const text = await kubectl(["-n", namespace, "get", "deployment", "denied", "-o", condition]);
    return text === "" ? undefined : text;
  });
  expect(message).toMatch(sentence);
  await kubectl(["-n", namespace, "delete", "deployment", "denied"]);
});

test.skipIf(!sandbox)(
  "its own Pods: not root, nothing to write to, no capability, one process and no shell",
  async () => {
    const replicas = listProcesses().filter(({ argv }) => argv.includes("/app/webhook.cjs"));
    expect(replicas).toHaveLength(2);
    for (const { pid, argv } of replicas) {
      expect(argv[0]).toBe("node");
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1]?.trim();
      expect(field("Uid")?.split(/\s+/)).toEqual(["65532", "65532", "65532", "65532"]);
      expect(field("CapEff")).toBe("0000000000000000");
      expect(field("CapBnd")).toBe("0000000000000000");
      expect(field("NoNewPrivs")).toBe("1");
      expect(field("Seccomp")).toBe("2"); // a filter
      // proc_pid_mountinfo(5): the mount point is the fifth field, its options the sixth.
      const mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8").trim().split("\n");
      const root = mounts.map((line) => line.split(" ")).find((fields) => fields[4] === "/");
      expect(root?.[5]?.split(",")).toContain("ro");
      const group = readFileSync(`/proc/${pid}/cgroup`, "utf8");
      const together = listProcesses().filter((one) => cgroupOf(one.pid) === group);
      expect(together.map((one) => one.pid)).toEqual([pid]);
    }
  },
);

function cgroupOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, "utf8");
  } catch {
    return ""; // it has ended meanwhile
  }
}

test("its log has no secrets: neither keys nor tokens nor a Pod's contents", async () => {
  const marked = podOf("marked", namespace, wish);
  marked.spec.containers[0]?.env.push({ name: "PASSWORD", value: "not-to-be-logged" });
  await kubectl(["create", "--dry-run=server", "-f", "-"], { input: JSON.stringify(marked) });
  const text = await until("the line", async () => {
    const log = await kubectl([...system, "logs", "-l", "app.kubernetes.io/component=webhook", "--tail=-1"]);
    return log.includes('"pod":"marked"') ? log : undefined;
  });
  expect(text).not.toMatch(/not-to-be-logged|PRIVATE KEY|eyJ[\w-]{10,}\./);
  for (const line of text.trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("message");
});

test("with its NetworkPolicy it works on, and other ports of other Pods are out of its reach", async () => {
  await kubectl.apply(podOf("target", other, {}));
  await ready("target", other);
  const ip = await kubectl(["-n", other, "get", "pod", "target", "-o", "jsonpath={.status.podIP}"]);
  const program = `const s = require("net").connect({ port: 7000, host: "${ip}", timeout: 2000 });
    s.on("connect", () => { console.log("reached"); s.destroy(); });
    for (const end of ["timeout", "error"]) s.on(end, () => { console.log("not reached"); s.destroy(); });`;
  const reach = () => kubectl([...system, "exec", "deployment/kubectl-fabric-webhook", "--", "node", "-e", program]);
  // A Pod without a probe is ready as soon as its program has been started.
  await expect.poll(reach, { timeout: 30_000 }).toBe("reached\n");
  const policy = join(import.meta.dirname, "../../../manifests/overlays/network-policy/network-policy.yaml");
  await kubectl(["apply", "-f", policy]);
  try {
    await until("isolation", async () => ((await reach()) === "not reached\n" ? true : undefined));
    // A replica that starts under the policy gets its certificates, and reviews reach it.
    const names = (await kubectl([...system, "get", "pods", "-o", "name"])).trim().split("\n");
    await kubectl([...system, "delete", ...names.slice(0, 1), "--wait=true"]);
    await kubectl([...system, "rollout", "status", "deployment/kubectl-fabric-webhook", "--timeout=60s"]);
    for (let index = 0; index < 10; index++) expect(await dryRun(`isolated-${index}`)).toContain(sidecar);
  } finally {
    await kubectl(["delete", "-f", policy]);
  }
});

/** Names of the init containers that a Pod would have. */
async function dryRun(name: string): Promise<readonly string[]> {
  const input = JSON.stringify(podOf(name, namespace, wish));
  const text = await kubectl(["create", "--dry-run=server", "-o", "json", "-f", "-"], { input });
  return ((JSON.parse(text) as Pod).spec.initContainers ?? []).map((container) => container.name);
}

test("both replicas away: annotated Pods are refused and say why, all others start; back again, what waited comes up", async () => {
  const scale = (replicas: number) =>
    kubectl([...system, "scale", "deployment/kubectl-fabric-webhook", `--replicas=${replicas}`]);
  await scale(0);
  const gone = ["pods", "-l", "app.kubernetes.io/component=webhook", "--for=delete", "--timeout=60s"];
  await kubectl([...system, "wait", ...gone]);
  try {
    const refused = kubectl.apply(podOf("refused", namespace, wish));
    await expect(refused).rejects.toThrow(
      /failed calling webhook "inject\.kubectl-fabric\.io".*kubectl-fabric-webhook/s,
    );
    await kubectl.apply(
      podOf("plain", namespace, {}),
      podOf("plain", other, {}),
      podOf("annotated-elsewhere", other, wish),
    );
    await Promise.all([ready("plain", namespace), ready("plain", other), ready("annotated-elsewhere", other)]);
    await kubectl.apply(workload("StatefulSet", "waiting", wish));
    const event = await until("the event", async () => {
      const text = await events("StatefulSet", "FailedCreate");
      return text === "" ? undefined : text;
    });
    expect(event).toContain('failed calling webhook "inject.kubectl-fabric.io"');
  } finally {
    await scale(2);
  }
  await kubectl([...system, "rollout", "status", "deployment/kubectl-fabric-webhook", "--timeout=120s"]);
  await kubectl(["-n", namespace, "wait", "--for=create", "pod/waiting-0", "--timeout=180s"]);
  await ready("waiting-0", namespace);
  const { spec } = JSON.parse(await kubectl(["-n", namespace, "get", "pod", "waiting-0", "-o", "json"])) as Pod;
  expect(spec.initContainers?.map(({ name }) => name)).toEqual([sidecar]);
});
