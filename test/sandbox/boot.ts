import { mkdir } from "node:fs/promises";
import { get } from "node:http";
import { dirname, join } from "node:path";
import { FabricError } from "../../core/error.ts";
import { askApiServer, isReady } from "./api-server.ts";
import { forwardPackets, remember } from "./before.ts";
import { cluster } from "./cluster.ts";
import { run, succeeds } from "./command.ts";
import { components, type Component, type ComponentName } from "./components.ts";
import { configurationFiles, kubeconfig, kubeconfigOf, kubeconfigUsers } from "./configuration.ts";
import { admissionRules } from "./firewall.ts";
import { writeAtomically } from "./freshness.ts";
import { loadImages } from "./images/load.ts";
import type { KeptImage } from "./images/make.ts";
import { newKubectl } from "./kubectl.ts";
import type { Layout } from "./layout.ts";
import type { Machine } from "./machine.ts";
import { addressOfCertificates, issueCertificates, readKeyPair } from "./pki.ts";
import { areListening, requireFreePorts } from "./ports.ts";
import type { Progress } from "./progress.ts";
import { isRunning, startComponent, waitUntil, type Expectation } from "./supervise.ts";

export interface BootContext {
  readonly layout: Layout;
  readonly machine: Machine;
  readonly images: readonly KeptImage[];
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
}

/** Starts what does not run of the cluster, and waits until it works. Gives whether anything had to be started. */
export async function boot(context: BootContext): Promise<boolean> {
  const { layout, machine, images, progress, signal } = context;
  const all = components(layout, machine.address);
  // Before anything is started that would have to be stopped again.
  requireFreePorts(portsOfStopped(layout, all));
  await configure(layout, machine);
  let started = false;
  const start = (...names: readonly ComponentName[]) => {
    for (const name of names) started = startComponent(layout, all[name]) || started;
  };
  const until = async (expectation: Expectation) => {
    await waitUntil(layout, expectation, signal);
    if (started) progress.say(expectation.what);
  };
  start("etcd", "containerd", "kube-apiserver");
  await until(containerdAnswers(layout));
  await loadImages(layout, images, progress, signal);
  await until(apiServerReady(layout));
  start("kube-controller-manager", "kube-scheduler", "kubelet");
  const resolving = servicesResolve(layout);
  // Early, so that CoreDNS waits for the node and not the other way round.
  if (started || !(await resolving.holds())) await applySystem(layout);
  // A node may still count as Ready from before its kubelet died.
  await until(listening(all["kube-controller-manager"], all["kube-scheduler"], all.kubelet));
  await until(nodeReady(layout));
  start("kube-proxy", "node-agent"); // kube-proxy asks for the node, and backs off for seconds while there is none
  await until(proxyHealthy);
  await until(resolving);
  await until(defaultAccountExists(layout));
  return started;
}

function portsOfStopped(layout: Layout, all: Readonly<Record<ComponentName, Component>>): readonly number[] {
  return Object.values(all).flatMap(({ name, ports }) => (isRunning(layout, name) ? [] : ports));
}

function applySystem(layout: Layout): Promise<string> {
  return newKubectl(layout.bin, layout.kubeconfig)(["apply", "-f", join(import.meta.dirname, "system.yaml")]);
}

async function configure(layout: Layout, machine: Machine): Promise<void> {
  const pki = join(layout.state, "pki");
  await mkdir(layout.state, { recursive: true });
  await remember(layout);
  for (const directory of [layout.logs, layout.volumes, layout.run, layout.containerd]) {
    await mkdir(directory, { recursive: true });
  }
  await requireSameAddress(pki, machine.address);
  await issueCertificates(pki, machine.address);
  for (const [name, text] of Object.entries(configurationFiles(layout, machine))) {
    await mkdir(dirname(join(layout.state, name)), { recursive: true });
    await writeAtomically(join(layout.state, name), text);
  }
  await writeKubeconfigs(layout, machine.address);
  await forwardPackets();
  await admitPods();
}

async function requireSameAddress(pki: string, address: string): Promise<void> {
  const issued = await addressOfCertificates(pki);
  if (issued === undefined || issued === address) return;
  throw new FabricError(
    "conflict",
    `expected this machine's address to be ${issued} as when the sandbox began, found ${address}`,
    {
      hint: "npm run sandbox -- down, then up again",
    },
  );
}

async function writeKubeconfigs(layout: Layout, address: string): Promise<void> {
  const pki = join(layout.state, "pki");
  const authority = await readKeyPair(pki, "ca");
  for (const user of kubeconfigUsers) {
    const text = kubeconfig(user, address, authority.certificate, await readKeyPair(pki, user));
    await writeAtomically(kubeconfigOf(layout, user), text, 0o600);
  }
}

/** Docker and ufw drop forwarded packets that they do not know. */
async function admitPods(): Promise<void> {
  for (const rule of admissionRules(await run("iptables-save", ["-t", "filter"]))) await run("iptables", rule);
}

function containerdAnswers(layout: Layout): Expectation {
  const ctr = join(layout.bin, "ctr");
  return {
    what: "containerd answers",
    needs: ["containerd"],
    seconds: 30,
    holds: () => succeeds(ctr, ["-a", layout.containerdSocket, "version"]),
  };
}

function apiServerReady(layout: Layout): Expectation {
  return {
    what: "API server ready",
    needs: ["etcd", "kube-apiserver"],
    seconds: 90,
    holds: () => found(layout, "/readyz"),
  };
}

function listening(...expected: readonly Component[]): Expectation {
  const ports = expected.flatMap((component) => component.ports);
  return {
    what: "controllers and kubelet listen",
    needs: expected.map(({ name }) => name),
    seconds: 60,
    holds: async () => areListening(ports),
  };
}

function nodeReady(layout: Layout): Expectation {
  return {
    what: "node Ready",
    needs: ["kube-controller-manager", "kube-scheduler", "kubelet"],
    seconds: 90,
    holds: async () => {
      const answer = await askApiServer(layout, `/api/v1/nodes/${cluster.node}`);
      return answer?.status === 200 && isReady(answer.text);
    },
  };
}

const proxyHealthy: Expectation = {
  what: "kube-proxy healthy",
  needs: ["node-agent", "kube-proxy"],
  seconds: 30,
  holds: () => answersOk("http://127.0.0.1:10256/healthz"),
};

/** A Service exists, CoreDNS runs behind another one, and kube-proxy leads there. */
function servicesResolve(layout: Layout): Expectation {
  const name = `kubernetes.default.svc.${cluster.domain}`;
  return {
    what: "Services and DNS work",
    needs: ["kubelet", "kube-proxy"],
    seconds: 90,
    holds: () => succeeds(join(layout.bin, "kube-node"), ["lookup", name, `${cluster.dns}:53`]),
  };
}

/** Without it, a Pod that is created at once is refused. */
function defaultAccountExists(layout: Layout): Expectation {
  return {
    what: "Pods can be created",
    needs: ["kube-controller-manager"],
    seconds: 30,
    holds: () => found(layout, "/api/v1/namespaces/default/serviceaccounts/default"),
  };
}

async function found(layout: Layout, path: string): Promise<boolean> {
  return (await askApiServer(layout, path))?.status === 200;
}

function answersOk(url: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  get(url, { timeout: 2000 }, (response) => {
    response.resume();
    resolve(response.statusCode === 200);
  }).on("error", () => resolve(false));
  return promise;
}
