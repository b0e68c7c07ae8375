import { join } from "node:path";
import { stringify } from "yaml";
import { cluster } from "./cluster.ts";
import type { Layout } from "./layout.ts";
import type { Machine } from "./machine.ts";
import type { KeyPair } from "./pki.ts";

/** The configuration files of a cluster on a machine, by their path below the state directory. */
export function configurationFiles(layout: Layout, machine: Machine): Readonly<Record<string, string>> {
  return {
    "containerd.toml": containerdConfiguration(layout, machine),
    "kubelet.yaml": stringify(kubeletConfiguration(layout, machine)),
    "kube-proxy.yaml": stringify(proxyConfiguration(layout, machine)),
    "cni/10-sandbox.conflist": JSON.stringify(networkConfiguration(layout), undefined, 2),
    "resolv.conf": "", // Pods with dnsPolicy Default ask nobody: there is no outside
  };
}

export function containerdConfiguration(layout: Layout, machine: Machine): string {
  return `version = 3
root = "${layout.containerd}"
state = "${join(layout.run, "containerd")}"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "${layout.containerdSocket}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = ${!machine.mayLowerOomScore}
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "${join(layout.state, "cni")}"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      Root = "${join(layout.run, "runc")}"
[plugins."io.containerd.nri.v1.nri"]
  disable = true
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${cluster.pauseImage}"
`;
}

/**
 * Each Pod has its own routed link to the node, so that all traffic between Pods passes the node's FORWARD
 * chain: Services work without br_netfilter and NetworkPolicies are rules in one place.
 */
function networkConfiguration(layout: Layout) {
  const ipam = {
    type: "host-local",
    dataDir: join(layout.run, "ipam"),
    ranges: [[{ subnet: cluster.pods }]],
    routes: [{ dst: "0.0.0.0/0" }],
  };
  const plugins = [
    { type: "ptp", mtu: 1400, ipam },
    { type: "portmap", capabilities: { portMappings: true } },
  ];
  return { cniVersion: "1.0.0", name: "sandbox", plugins };
}

export function kubeletConfiguration(layout: Layout, machine: Machine) {
  const pki = join(layout.state, "pki");
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    containerRuntimeEndpoint: `unix://${layout.containerdSocket}`,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(pki, "ca.crt") },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: join(pki, "kubelet-server.crt"),
    tlsPrivateKeyFile: join(pki, "kubelet-server.key"),
    clusterDNS: [cluster.dns],
    clusterDomain: cluster.domain,
    resolvConf: join(layout.state, "resolv.conf"),
    podLogsDir: join(layout.logs, "pods"),
    volumePluginDir: join(layout.state, "volume-plugins"),
    ...cgroupSettings(machine),
    // Without a root device to look at, kubelet does not start.
    localStorageCapacityIsolation: machine.rootDeviceVisible,
    ...(!machine.mayLowerOomScore && { oomScoreAdj: 0 }),
    makeIPTablesUtilChains: false, // nothing to clean up after
    failSwapOn: false,
    evictionHard: { "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
    imageGCHighThresholdPercent: 100, // no image can be fetched again
    syncFrequency: "5s",
  };
}

/** Pods go into /k8s.io without levels of service: those would claim the machine's own control groups. */
function cgroupSettings({ cgroup }: Machine) {
  return {
    cgroupDriver: "cgroupfs",
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    ...(cgroup === 1 && { failCgroupV1: false }),
  };
}

export function proxyConfiguration(layout: Layout, machine: Machine) {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig: kubeconfigOf(layout, "kube-proxy") },
    mode: "iptables",
    clusterCIDR: cluster.pods,
    hostnameOverride: cluster.node,
    ...(!machine.mayLowerOomScore && { oomScoreAdj: 0 }),
    // Leaves the machine's connection tracking as it is.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
    iptables: { minSyncPeriod: "100ms", syncPeriod: "30s" },
  };
}

/** Who has a kubeconfig. */
export const kubeconfigUsers = ["admin", "controller-manager", "scheduler", "kube-proxy", "kubelet"] as const;

export function kubeconfigOf(layout: Layout, user: (typeof kubeconfigUsers)[number]): string {
  return join(layout.state, `${user}.kubeconfig`);
}

export function kubeconfig(user: string, address: string, authority: string, { key, certificate }: KeyPair): string {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "sandbox",
        cluster: {
          server: `https://${address}:${cluster.apiPort}`,
          "certificate-authority-data": base64(authority),
        },
      },
    ],
    users: [{ name: user, user: { "client-certificate-data": base64(certificate), "client-key-data": base64(key) } }],
    contexts: [{ name: "sandbox", context: { cluster: "sandbox", user } }],
    "current-context": "sandbox",
  });
}
