import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { generate } from "selfsigned";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { once } from "../once.ts";
import { CommandFailure } from "../sandbox/command.ts";
import { newKubectl } from "../sandbox/kubectl.ts";
import { listProcesses } from "../sandbox/processes.ts";

const { kubeconfig, binDir, nodeenvArchive = "", fabricVersions } = inject("cluster");
const kubectl = newKubectl(binDir, kubeconfig);
const teamA = `sandbox-a-${process.pid}`;
const teamB = `sandbox-b-${process.pid}`;

const namespace = (name: string, labels = {}) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });

function pod(name: string, namespace: string, container: object, spec: object = {}, labels: object = { app: name }) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "main", image: "docker.io/local/node:1", imagePullPolicy: "Never", ...container }],
      ...spec,
    },
  };
}

function service(name: string, namespace: string, port: number, targetPort: number | string) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { selector: { app: name }, ports: [{ port, targetPort }] },
  };
}

const ready = (namespace: string, name: string, seconds = 60) =>
  kubectl(["-n", namespace, "wait", "--for=condition=Ready", `pod/${name}`, `--timeout=${seconds}s`]);

const exec = (namespace: string, name: string, ...command: readonly string[]) =>
  kubectl(["-n", namespace, "exec", name, "--", ...command]);

/** A fresh Service may refuse for a moment after its Pod is Ready: kube-proxy hears of it later than we do. */
async function eventually<T>(attempt: () => Promise<T>, seconds = 10): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(200);
    }
  }
}

const fetchFrom = (namespace: string, name: string, url: string) =>
  exec(namespace, name, "curl", "-sS", "-m", "3", url);

const serve = `for (const port of [8080, 9090])
  require("http").createServer((request, response) => {
    console.log(request.method, request.url);
    response.end("served " + port);
  }).listen(port);`;

beforeAll(async () => {
  await kubectl.apply(
    namespace(teamA),
    namespace(teamB),
    pod("web", teamB, { command: ["node", "-e", serve], ports: [{ name: "http", containerPort: 8080 }] }),
    service("web", teamB, 80, "http"),
    pod("friend", teamA, { command: ["sleep", "infinity"] }, { securityContext: { runAsUser: 1000 } }),
    pod("stranger", teamA, { command: ["sleep", "infinity"] }),
  );
  await Promise.all([ready(teamB, "web"), ready(teamA, "friend"), ready(teamA, "stranger")]);
});

afterAll(async () => {
  await kubectl(["delete", "namespace", teamA, teamB, "--wait=true", "--timeout=120s"]);
});

test("the node is Ready and offers memory, processors and disk", async () => {
  const { items } = JSON.parse(await kubectl(["get", "nodes", "-o", "json"])) as {
    items: { status: { conditions: { type: string; status: string }[]; allocatable: Record<string, string> } }[];
  };
  expect(items).toHaveLength(1);
  expect(items[0]?.status.conditions).toContainEqual(expect.objectContaining({ type: "Ready", status: "True" }));
  expect(Object.keys(items[0]?.status.allocatable ?? {})).toEqual(expect.arrayContaining(["cpu", "memory", "pods"]));
});

test("a Service is reached from another namespace by its short and its full name", async () => {
  for (const name of [`web.${teamB}`, `web.${teamB}.svc.cluster.local`]) {
    expect(await eventually(() => fetchFrom(teamA, "friend", `http://${name}/`))).toBe("served 8080");
  }
});

test("names outside the cluster do not exist", async () => {
  await expect(fetchFrom(teamA, "friend", "http://nothing.example.com/")).rejects.toThrow(/not resolve host/);
});

test("a Pod reaches the API server with its own token", async () => {
  const script = `cd /var/run/secrets/kubernetes.io/serviceaccount
    curl -sS -m 5 --cacert ca.crt -H "Authorization: Bearer $(cat token)" https://kubernetes.default.svc/version`;
  expect(JSON.parse(await exec(teamA, "stranger", "sh", "-c", script))).toMatchObject({ major: "1" });
});

test("a volume can be written by a Pod that is not root, outlives it, and goes with its claim", async () => {
  const claim = {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data", namespace: teamB },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  };
  const writer = (name: string) =>
    pod(
      name,
      teamB,
      {
        command: ["sh", "-c", 'echo "$(id -u):$(id -G)" >>/data/writers && cat /data/writers && sleep infinity'],
        volumeMounts: [{ name: "data", mountPath: "/data" }],
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      },
      {
        securityContext: { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000 },
        volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
      },
    );
  await kubectl.apply(claim, writer("writer-1"));
  await ready(teamB, "writer-1");
  await kubectl(["-n", teamB, "delete", "pod", "writer-1"]);
  await kubectl.apply(writer("writer-2"));
  await ready(teamB, "writer-2");
  const log = await eventually(async () => {
    const text = await kubectl(["-n", teamB, "logs", "writer-2"]);
    expect(text).not.toBe("");
    return text;
  });
  expect(log).toBe("1000:1000 2000\n1000:1000 2000\n");
  await kubectl(["-n", teamB, "delete", "pod", "writer-2"]);
  const name = (await kubectl(["-n", teamB, "get", "pvc", "data", "-o", "jsonpath={.spec.volumeName}"])).trim();
  const path = await kubectl(["get", "pv", name, "-o", "jsonpath={.spec.hostPath.path}"]);
  expect(readdirSync(dirname(path))).toContain(name);
  await kubectl(["-n", teamB, "delete", "pvc", "data"]);
  await kubectl(["wait", "--for=delete", `pv/${name}`, "--timeout=30s"]);
  expect(readdirSync(dirname(path))).not.toContain(name);
});

test("exec passes input, output and exit status; logs and cp work", async () => {
  expect(await kubectl(["-n", teamA, "exec", "-i", "friend", "--", "cat"], { input: "hello" })).toBe("hello");
  await expect(exec(teamA, "friend", "sh", "-c", "exit 7")).rejects.toThrow(/found 7/);
  await eventually(() => fetchFrom(teamA, "friend", `http://web.${teamB}/logged`));
  expect(await kubectl(["-n", teamB, "logs", "web"])).toContain("GET /logged");
  await kubectl(["-n", teamA, "cp", import.meta.filename, "friend:/tmp/copied"]);
  expect(await exec(teamA, "friend", "cat", "/tmp/copied")).toBe(readFileSync(import.meta.filename, "utf8"));
});

test("port-forward reaches a Service's Pod", async () => {
  const forward = kubectl.start(["-n", teamB, "port-forward", "service/web", ":80"]);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    forward.stdout?.on("data", (data: Buffer) => {
      const port = /127\.0\.0\.1:(\d+)/.exec(data.toString())?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    forward.on("close", (status) => reject(new Error(`port-forward ended with ${status}`)));
    expect(await httpGet(await promise)).toContain("served 8080");
  } finally {
    forward.kill();
  }
});

function httpGet(port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let answer = "";
  const socket = connect(port, "127.0.0.1", () => socket.write("GET / HTTP/1.0\r\n\r\n"));
  socket.on("data", (data: Buffer) => (answer += data.toString()));
  socket.on("error", reject);
  socket.on("close", () => resolve(answer));
  return promise;
}

test("NetworkPolicies are enforced: one friend, one port, nothing outwards", async () => {
  const address = await kubectl(["-n", teamB, "get", "pod", "web", "-o", "jsonpath={.status.podIP}"]);
  const node = await kubectl(["get", "nodes", "-o", "jsonpath={.items[0].status.addresses[0].address}"]);
  expect(await eventually(() => fetchFrom(teamA, "stranger", `http://web.${teamB}`))).toBe("served 8080");
  expect(await fetchFrom(teamB, "web", `http://${node}:10256/healthz`)).not.toBe("");
  const policy = (name: string, spec: object) => ({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, namespace: teamB },
    spec,
  });
  const from = {
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": teamA } },
    podSelector: { matchLabels: { app: "friend" } },
  };
  await kubectl.apply(
    policy("deny", { podSelector: {}, policyTypes: ["Ingress", "Egress"] }),
    policy("web", {
      podSelector: { matchLabels: { app: "web" } },
      policyTypes: ["Ingress"],
      ingress: [{ from: [from], ports: [{ port: "http" }] }],
    }),
  );
  await eventually(() => expect(fetchFrom(teamA, "stranger", `http://${address}:8080`)).rejects.toThrow(/timed out/i));
  expect(await fetchFrom(teamA, "friend", `http://web.${teamB}`)).toBe("served 8080");
  await expect(fetchFrom(teamA, "friend", `http://${address}:9090`)).rejects.toThrow(/timed out/i);
  await expect(fetchFrom(teamB, "web", `http://${node}:10256/healthz`)).rejects.toThrow(/timed out/i);
  await kubectl(["-n", teamB, "delete", "networkpolicy", "deny", "web"]);
  expect(await eventually(() => fetchFrom(teamA, "stranger", `http://${address}:8080`))).toBe("served 8080");
});

describe("admission", () => {
  const hooked = `sandbox-hooked-${process.pid}`;
  const configuration = `sandbox-hook-${process.pid}`;

  const program = `const { readFileSync } = require("fs");
    require("https").createServer({ key: readFileSync("/tls/tls.key"), cert: readFileSync("/tls/tls.crt") }, async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      const { uid, object } = JSON.parse(body).request;
      const patch = [{ op: "add", path: "/metadata/labels", value: { ...object.metadata.labels, mutated: "yes" } }];
      response.end(JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response:
        { uid, allowed: true, patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(patch)).toString("base64") } }));
    }).listen(8443);`;

  afterAll(async () => {
    await kubectl(["delete", "mutatingwebhookconfiguration", configuration, "--ignore-not-found"]);
    await kubectl(["delete", "namespace", hooked, "--ignore-not-found", "--wait=true"]);
  });

  test("a mutating webhook behind a Service changes Pods, and matchConditions choose which", async () => {
    const pair = await generate([{ name: "commonName", value: "hook" }], {
      keyType: "ec",
      algorithm: "sha256",
      extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: `hook.${teamA}.svc` }] }],
    });
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "hook", namespace: teamA },
      stringData: { "tls.key": pair.private, "tls.crt": pair.cert },
    };
    const container = {
      command: ["node", "-e", program],
      readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
      volumeMounts: [{ name: "tls", mountPath: "/tls" }],
    };
    await kubectl.apply(
      namespace(hooked, { hooked: configuration }),
      secret,
      pod("hook", teamA, container, { volumes: [{ name: "tls", secret: { secretName: "hook" } }] }),
      service("hook", teamA, 443, 8443),
    );
    await ready(teamA, "hook");
    await kubectl.apply({
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      metadata: { name: configuration },
      webhooks: [
        {
          name: "hook.sandbox.local",
          clientConfig: {
            caBundle: Buffer.from(pair.cert).toString("base64"),
            service: { name: "hook", namespace: teamA, path: "/" },
          },
          rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
          namespaceSelector: { matchLabels: { hooked: configuration } },
          matchConditions: [{ name: "not-skipped", expression: "!('skip' in object.metadata.?labels.orValue({}))" }],
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          failurePolicy: "Fail",
          timeoutSeconds: 5,
        },
      ],
    });
    const labelsOf = async (name: string, labels: object) => {
      const input = JSON.stringify(pod(name, hooked, { command: ["sleep", "1"] }, {}, labels));
      const args = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
      const { metadata } = JSON.parse(await kubectl(args, { input })) as { metadata: { labels?: object } };
      return metadata.labels;
    };
    await eventually(async () => expect(await labelsOf("plain", { app: "x" })).toEqual({ app: "x", mutated: "yes" }));
    expect(await labelsOf("skipped", { skip: "yes" })).toEqual({ skip: "yes" });
  });
});

describe.each(["28", "20.10"])("Docker %s in a native sidecar", (version) => {
  const name = `dind-${version.replace(".", "-")}`;
  const mark = `98765${version.replace(".", "")}`; // a time to sleep that nobody else sleeps
  const docker = (args: readonly string[], input?: string) =>
    kubectl(["-n", teamA, "exec", "-i", name, "-c", "dind", "--", "docker", ...args], {
      ...(input !== undefined && { input }),
    });

  /** What listens where a peer listens for its chaincode. */
  const peer = `require("net").createServer((socket) => socket.on("data", (data) => {
      console.log("from chaincode:", data.toString());
      socket.end("registered");
    })).listen(7052, "127.0.0.1");`;

  beforeAll(async () => {
    const sidecar = {
      name: "dind",
      image: `docker.io/library/docker:${version}-dind`,
      imagePullPolicy: "Never",
      restartPolicy: "Always",
      securityContext: { privileged: true },
      args: ["dockerd", "--host=unix:///run/dind/docker.sock", "--group=1000"],
      env: [{ name: "DOCKER_HOST", value: "unix:///run/dind/docker.sock" }],
      startupProbe: {
        exec: { command: ["docker", "info"] },
        periodSeconds: 1,
        failureThreshold: 60,
        timeoutSeconds: 5,
      },
      volumeMounts: [
        { name: "socket", mountPath: "/run/dind" },
        { name: "graph", mountPath: "/var/lib/docker" },
        { name: "images", mountPath: "/images", readOnly: true },
      ],
    };
    const main = {
      command: ["node", "-e", peer],
      securityContext: { runAsUser: 1000 },
      volumeMounts: [{ name: "socket", mountPath: "/run/dind" }],
    };
    await kubectl.apply(
      pod(name, teamA, main, {
        initContainers: [sidecar],
        securityContext: { supplementalGroups: [1000] },
        volumes: [
          { name: "socket", emptyDir: {} },
          { name: "graph", emptyDir: {} },
          { name: "images", hostPath: { path: dirname(nodeenvArchive) } },
        ],
      }),
    );
    await ready(teamA, name, 90);
  });

  test("its daemon answers a container that is not root, over the socket", async () => {
    const answer = await exec(
      teamA,
      name,
      "curl",
      "-sS",
      "--unix-socket",
      "/run/dind/docker.sock",
      "http://docker/version",
    );
    expect(JSON.parse(answer)).toMatchObject({ Version: expect.stringMatching(`^${version.replace(".", "\\.")}\\.`) });
    expect((await docker(["info", "--format", "{{.Driver}}"])).trim()).toBe("overlay2");
  });

  const built = once(async () => {
    const loaded = await docker(["load", "--quiet", "-i", "/images/fabric-nodeenv.tar"]);
    await docker(["build", "--quiet", "--tag", "chaincode", "-"], dockerfile);
    return loaded;
  });

  test("loads fabric-nodeenv, builds chaincode with it and runs it against localhost:7052 of the Pod", async () => {
    expect(await built()).toContain("fabric-nodeenv:2.5");
    const output = await docker(["run", "--rm", "--network", "host", "chaincode"]);
    expect(output).toContain("answer: registered");
    expect(await kubectl(["-n", teamA, "logs", name, "-c", "main"])).toContain(
      "from chaincode: --peer.address localhost:7052 by a dependency",
    );
  });

  test("deleting the Pod leaves no process, mount or control group of its containers", async () => {
    await built();
    await docker(["run", "--detach", "--network", "host", "chaincode", "sleep", mark]);
    await docker(["run", "--detach", "chaincode", "sleep", mark]);
    const uid = await kubectl(["-n", teamA, "get", "pod", name, "-o", "jsonpath={.metadata.uid}"]);
    const ids = (await docker(["ps", "--quiet", "--no-trunc"])).trim().split("\n");
    expect(ids).toHaveLength(2);
    expect(sleepers(mark)).toHaveLength(2);
    expect(readFileSync("/proc/mounts", "utf8")).toContain(uid);
    await kubectl(["-n", teamA, "delete", "pod", name, "--wait=true"]);
    await eventually(async () => expect(readFileSync("/proc/mounts", "utf8")).not.toContain(uid));
    expect(sleepers(mark)).toEqual([]);
    await eventually(async () => expect(groupsNamed(ids)).toEqual([]));
  });
});

/** What the peer does with a package that brings its dependencies, as plain files and without links to their commands. */
const dockerfile = `FROM hyperledger/fabric-nodeenv:2.5
RUN mkdir -p /chaincode/input/src/node_modules/left-pad && cd /chaincode/input/src \\
 && echo '{"name":"cc","version":"1.0.0","scripts":{"start":"left-pad"},"dependencies":{"left-pad":"1.0.0"}}' >package.json \\
 && cd node_modules/left-pad && echo '{"name":"left-pad","version":"1.0.0","bin":"cc.js"}' >package.json \\
 && echo '#!/usr/bin/env node' >cc.js \\
 && echo 'const s = require("net").connect(7052, "localhost", () => s.write(process.argv.slice(2).join(" ") + " by a dependency"));' >>cc.js \\
 && echo 's.on("data", (d) => console.log("answer: " + d)); s.on("error", (e) => { console.error(e); process.exit(1); });' >>cc.js
RUN /chaincode/build.sh && cp -R /chaincode/output/. /usr/local/src
CMD ["/chaincode/start.sh", "--peer.address", "localhost:7052"]
`;

function sleepers(mark: string) {
  return listProcesses().filter(({ argv }) => argv.at(-1) === mark);
}

function groupsNamed(ids: readonly string[]): readonly string[] {
  const groups = readdirSync("/sys/fs/cgroup", { recursive: true }) as string[];
  return groups.filter((group) => ids.some((id) => group.includes(id)));
}

describe("images of Fabric itself", () => {
  const lines = fabricVersions
    .filter((version) => version !== "emulator")
    .map((version) => version.split(".").slice(0, 2).join("."));

  test.skipIf(lines.length === 0).each(lines.length === 0 ? ["none"] : lines)(
    "peer and orderer %s start as the official ones",
    async (line) => {
      const name = `fabric-${line.replace(".", "-")}`;
      const run = async (image: string, command: readonly string[]) => {
        const container = { image: `hyperledger/fabric-${image}:${line}`, command };
        await kubectl.apply(pod(`${name}-${image}`, teamA, container, { restartPolicy: "Never" }));
        const phase = ["--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s"];
        await kubectl(["-n", teamA, "wait", `pod/${name}-${image}`, ...phase]);
        return kubectl(["-n", teamA, "logs", `${name}-${image}`]);
      };
      const config = 'ls "$FABRIC_CFG_PATH" && ls /opt/hyperledger/ccaas_builder/bin && peer version';
      const peer = await run("peer", ["bash", "-c", config]);
      for (const expected of ["core.yaml", "detect", "build", "release", `Version: v${line}.`])
        expect(peer).toContain(expected);
      const orderer = await run("orderer", ["sh", "-c", 'ls "$FABRIC_CFG_PATH" && orderer version']);
      for (const expected of ["orderer.yaml", "configtx.yaml", `Version: v${line}.`])
        expect(orderer).toContain(expected);
    },
  );
});

test("a failing command tells what kubectl complains about", async () => {
  await expect(kubectl(["get", "no-such-kind"])).rejects.toThrow(CommandFailure);
});
