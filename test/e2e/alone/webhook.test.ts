import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { once } from "../../once.ts";
import { newKubectl } from "../../sandbox/kubectl.ts";
import { listProcesses } from "../../sandbox/processes.ts";
import { newPlugin } from "../plugin-process.ts";

const { kubeconfig, binDir, sandbox, nodeImage, nodeenvArchive = "" } = inject("cluster");
const { killedAt, json: pluginJson, output: pluginOutput } = newPlugin();
const kubectl = newKubectl(binDir, kubeconfig);
const namespace = `injected-${process.pid}`;
const other = `not-injected-${process.pid}`;
const sidecar = "kubectl-fabric-dind";

interface Pod {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly initContainers?: readonly { readonly name: string }[];
    readonly containers: readonly { readonly env?: readonly { readonly name: string; readonly value?: string }[] }[];
    readonly volumes?: readonly { readonly name: string; readonly hostPath?: object }[];
  };
}

/**
 * Stands where a peer stands: notes whether Docker answers when it starts, then listens for chaincode on localhost:7052.
 * What it proves does not depend on Fabric.
 */
const peerProgram = `
  const { request } = require("http");
  const socketPath = process.env.CORE_VM_ENDPOINT.replace("unix://", "");
  request({ socketPath, path: "/_ping" }, (response) => console.log("docker at start:", response.statusCode))
    .on("error", (error) => console.log("docker at start:", error.code)).end();
  const [host, port] = process.env.CORE_PEER_CHAINCODELISTENADDRESS.split(":");
  require("net").createServer((socket) => socket.on("data", (data) => {
    console.log("from chaincode:", data.toString().trim());
    socket.end("registered");
  })).listen(Number(port), host);`;

function peer(
  name: string,
  where: string,
  annotations: Readonly<Record<string, string>> | undefined,
  image = nodeImage,
) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: where, ...(annotations && { annotations }) },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: "peer",
          image,
          imagePullPolicy: "IfNotPresent",
          command: ["node", "-e", peerProgram],
          env: [
            { name: "CORE_PEER_ID", value: name },
            { name: "CORE_VM_ENDPOINT", value: "unix:///host/var/run/docker.sock" },
          ],
          volumeMounts: [
            { name: "docker", mountPath: "/host/var/run/docker.sock" },
            { name: "images", mountPath: "/images", readOnly: true },
          ],
        },
      ],
      volumes: [
        { name: "docker", hostPath: { path: "/var/run/docker.sock" } },
        { name: "images", hostPath: { path: dirname(nodeenvArchive) } },
      ],
    },
  };
}

const inject_ = { "kubectl-fabric.io/inject": "true", "kubectl-fabric.io/peer-container": "peer" };
const readPod = async (name: string, where = namespace) =>
  JSON.parse(await kubectl(["-n", where, "get", "pod", name, "-o", "json"])) as Pod;
const docker = (name: string, args: readonly string[], input?: string) =>
  kubectl(
    ["-n", namespace, "exec", "-i", name, "-c", sidecar, "--", "docker", ...args],
    input === undefined ? {} : { input },
  );

/** A Pod is ready as soon as its program has been started, and a log is read after it was written. */
const patience = { timeout: 30_000 };
const peerLog = () => kubectl(["-n", namespace, "logs", "peer0", "-c", "peer"]);

beforeAll(async () => {
  await killedAt(600, ["webhook", "install"]);
  await pluginOutput(["webhook", "install"]);
  const labels = { "pod-security.kubernetes.io/enforce": "privileged" };
  const make = (name: string, more: object) => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { ...labels, ...more } },
  });
  await kubectl.apply(make(namespace, { "kubectl-fabric.io/injection": "enabled" }), make(other, {}));
});

afterAll(async () => {
  await kubectl(["delete", "namespace", namespace, other, "--wait=true", "--timeout=120s"]);
  await pluginOutput(["webhook", "uninstall", "--yes"]);
  expect(await pluginJson(["webhook", "uninstall", "--yes"])).toMatchObject({ changed: 0 });
});

test("installed again nothing changes, and its status is ready", async () => {
  expect(await pluginJson(["webhook", "install"])).toMatchObject({ changed: 0 });
  expect(await pluginJson<object>(["webhook", "status"])).toMatchObject({
    ready: true,
    trusted: true,
    replicas: { ready: 2, wanted: 2 },
    certificateDaysLeft: 149, // of 150, begun today
    certificates: [
      { role: "authority", daysLeft: 364 },
      { role: "trusted", daysLeft: 364 },
      { role: "leaf", daysLeft: 149 },
      { role: "served", daysLeft: 149 },
      { role: "served", daysLeft: 149 },
    ],
    namespaces: [namespace],
  });
});

test("a Pod without the annotation, or in another namespace, stays byte for byte as it came", async () => {
  const create = async (where: string, annotations?: Readonly<Record<string, string>>) => {
    const input = JSON.stringify(peer("untouched", where, annotations));
    const text = await kubectl(["create", "--dry-run=server", "-o", "json", "-f", "-"], { input });
    const { spec, metadata } = JSON.parse(text) as Pod;
    // The service account token's volume has a random name in each Pod.
    const neutral = JSON.stringify(spec).replaceAll(/kube-api-access-\w+/g, "kube-api-access");
    return { spec: neutral, annotations: JSON.stringify(metadata.annotations) };
  };
  const reference = await create(other);
  expect(await create(namespace)).toEqual(reference);
  expect(await create(other, inject_)).toEqual({ ...reference, annotations: JSON.stringify(inject_) });
  expect(await create(namespace, { "kubectl-fabric.io/inject": "false" })).toMatchObject({ spec: reference.spec });
});

const annotatedPeer = once(async () => {
  await kubectl.apply(peer("peer0", namespace, inject_));
  await kubectl(["-n", namespace, "wait", "--for=condition=Ready", "pod/peer0", "--timeout=120s"]);
});

test("an annotated peer gets off docker.sock: its own daemon is ready before it starts", async () => {
  await annotatedPeer();
  const { spec, metadata } = await readPod("peer0");
  expect(spec.initContainers?.map(({ name }) => name)).toEqual([sidecar]);
  expect(spec.volumes?.filter((volume) => volume.hostPath).map(({ name }) => name)).toEqual(["images"]);
  expect(metadata.annotations).toHaveProperty(["kubectl-fabric.io/injected"]);
  const env = Object.fromEntries((spec.containers[0]?.env ?? []).map(({ name, value }) => [name, value]));
  expect(env).toMatchObject({
    CORE_VM_ENDPOINT: expect.stringMatching(/^unix:\/\/.*docker\.sock$/),
    CORE_PEER_CHAINCODEADDRESS: "localhost:7052",
    CORE_PEER_CHAINCODELISTENADDRESS: "localhost:7052",
    CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE: "host",
  });
  await expect.poll(peerLog, patience).toContain("docker at start:");
  expect(await peerLog()).toContain("docker at start: 200");
});

test.skipIf(!sandbox)(
  "its daemon builds and runs a container that reaches localhost:7052; the Pod's end leaves no process",
  async () => {
    await annotatedPeer();
    await kubectl(["-n", namespace, "exec", "peer0", "-c", "peer", "--", "node", "-e", loadProgram]);
    await docker("peer0", ["build", "--quiet", "--tag", "chaincode:1", "-"], dockerfile);
    await docker("peer0", ["run", "--rm", "--network", "host", "chaincode:1"]);
    await expect.poll(peerLog, patience).toContain("from chaincode: built in the Pod");
    const mark = `98765${process.pid}`; // a time to sleep that nobody else sleeps
    await docker("peer0", ["run", "--detach", "--network", "host", "chaincode:1", "sleep", mark]);
    const sleepers = () => listProcesses().filter(({ argv }) => argv.at(-1) === mark);
    expect(sleepers()).toHaveLength(1);
    // 1: somebody has it; 127 would be an image without flock.
    const tryLock = "flock -n /var/lib/docker/kubectl-fabric.lock true; echo $?";
    const tried = await kubectl(["-n", namespace, "exec", "peer0", "-c", sidecar, "--", "sh", "-c", tryLock]);
    expect(tried.trim()).toBe("1");
    await kubectl(["-n", namespace, "delete", "pod", "peer0", "--wait=true"]);
    expect(sleepers()).toEqual([]);
  },
);

/** `docker load` as the peer would do it: over the socket that was mounted for it. */
const loadProgram = `
  const request = require("http").request(
    { socketPath: process.env.CORE_VM_ENDPOINT.replace("unix://", ""), method: "POST", path: "/images/load?quiet=1" },
    (response) => response.resume().on("end", () => (process.exitCode = response.statusCode === 200 ? 0 : 1)));
  require("fs").createReadStream("/images/fabric-nodeenv.tar").pipe(request);`;

const dockerfile = `FROM hyperledger/fabric-nodeenv:2.5
RUN echo "built in the Pod" >/built
CMD ["node", "-e", "require('net').connect(7052, 'localhost').end(require('fs').readFileSync('/built'))"]
`;

test("a wrong annotation is refused, and the refusal names key, value and what is allowed", async () => {
  const wrong = peer("wrong", namespace, { ...inject_, "kubectl-fabric.io/dind-memory-limit": "plenty" });
  await expect(kubectl.apply(wrong)).rejects.toThrow(/dind-memory-limit.*plenty/s);
});

test("replicas die one at a time while Pods are created: none is refused, all are injected", async () => {
  const stop = new AbortController();
  const created: string[] = [];
  const creating = (async () => {
    for (let index = 0; !stop.signal.aborted || index < 40; index++) {
      const pod = peer(`churn-${index}`, namespace, inject_);
      const input = JSON.stringify(pod);
      const text = await kubectl(["create", "--dry-run=server", "-o", "json", "-f", "-"], { input });
      const { spec, metadata } = JSON.parse(text) as Pod;
      expect(spec.initContainers?.map(({ name }) => name)).toEqual([sidecar]);
      created.push(metadata.name);
    }
  })();
  const system = ["-n", "kubectl-fabric-system"];
  const names = (await kubectl([...system, "get", "pods", "-o", "name"])).trim().split("\n");
  expect(names).toHaveLength(2);
  for (const name of names) {
    await kubectl([...system, "delete", name, "--wait=true"]);
    await kubectl([...system, "rollout", "status", "deployment/kubectl-fabric-webhook", "--timeout=60s"]);
    await sleep(1000);
  }
  stop.abort();
  await creating;
  expect(created.length).toBeGreaterThanOrEqual(40);
}, 180_000);
