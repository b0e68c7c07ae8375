import { join } from "node:path";
import { cluster } from "./cluster.ts";
import { kubeconfigOf } from "./configuration.ts";
import type { Layout } from "./layout.ts";

/** A program of the cluster that runs on the machine itself. */
export interface Component {
  readonly name: ComponentName;
  readonly args: readonly string[];
  /** TCP ports that it listens on. */
  readonly ports: readonly number[];
}

export const componentNames = [
  "etcd",
  "containerd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubelet",
  "kube-proxy",
  "node-agent",
] as const;

export type ComponentName = (typeof componentNames)[number];

export function components(layout: Layout, address: string): Readonly<Record<ComponentName, Component>> {
  const pki = (file: string) => join(layout.state, "pki", file);
  const volumePlugins = join(layout.state, "volume-plugins");
  return {
    etcd: {
      name: "etcd",
      args: [
        "--data-dir",
        join(layout.state, "etcd"),
        "--unsafe-no-fsync", // nobody misses a sandbox after a power cut
        "--listen-client-urls",
        "http://127.0.0.1:2379",
        "--advertise-client-urls",
        "http://127.0.0.1:2379",
        "--listen-peer-urls",
        "http://127.0.0.1:2380",
        "--log-level",
        "warn",
      ],
      ports: [2379, 2380],
    },
    containerd: { name: "containerd", args: ["--config", join(layout.state, "containerd.toml")], ports: [] },
    "kube-apiserver": {
      name: "kube-apiserver",
      args: [
        "--etcd-servers",
        "http://127.0.0.1:2379",
        "--advertise-address",
        address,
        "--secure-port",
        String(cluster.apiPort),
        "--service-cluster-ip-range",
        cluster.services,
        "--allow-privileged=true", // DinD
        "--client-ca-file",
        pki("ca.crt"),
        "--tls-cert-file",
        pki("apiserver.crt"),
        "--tls-private-key-file",
        pki("apiserver.key"),
        "--kubelet-client-certificate",
        pki("apiserver-kubelet.crt"),
        "--kubelet-client-key",
        pki("apiserver-kubelet.key"),
        "--kubelet-preferred-address-types",
        "InternalIP", // nobody resolves the node's name
        "--authorization-mode",
        "Node,RBAC",
        "--enable-admission-plugins",
        "NodeRestriction",
        "--service-account-issuer",
        `https://kubernetes.default.svc.${cluster.domain}`,
        "--service-account-key-file",
        pki("sa.key"),
        "--service-account-signing-key-file",
        pki("sa.key"),
        "--cert-dir",
        join(layout.state, "apiserver"),
      ],
      ports: [cluster.apiPort],
    },
    "kube-controller-manager": {
      name: "kube-controller-manager",
      args: [
        "--kubeconfig",
        kubeconfigOf(layout, "controller-manager"),
        "--use-service-account-credentials",
        "--service-account-private-key-file",
        pki("sa.key"),
        "--root-ca-file",
        pki("ca.crt"),
        "--cluster-signing-cert-file",
        pki("ca.crt"),
        "--cluster-signing-key-file",
        pki("ca.key"),
        "--flex-volume-plugin-dir",
        volumePlugins,
        "--leader-elect=false",
        // The default rate makes a cluster's first objects wait 4 s.
        "--kube-api-qps",
        "500",
        "--kube-api-burst",
        "500",
        "--node-monitor-period",
        "1s",
      ],
      ports: [10257],
    },
    "kube-scheduler": {
      name: "kube-scheduler",
      args: ["--kubeconfig", kubeconfigOf(layout, "scheduler"), "--leader-elect=false"],
      ports: [10259],
    },
    kubelet: {
      name: "kubelet",
      args: [
        "--config",
        join(layout.state, "kubelet.yaml"),
        "--kubeconfig",
        kubeconfigOf(layout, "kubelet"),
        "--root-dir",
        join(layout.state, "kubelet"),
        "--cert-dir",
        join(layout.state, "kubelet", "pki"),
        "--hostname-override",
        cluster.node,
        "--node-ip",
        address,
      ],
      ports: [10248, 10250],
    },
    "kube-proxy": {
      name: "kube-proxy",
      args: ["--config", join(layout.state, "kube-proxy.yaml")],
      ports: [10249, 10256],
    },
    "node-agent": {
      name: "node-agent",
      args: ["--kubeconfig", kubeconfigOf(layout, "admin"), "--volumes", layout.volumes],
      ports: [],
    },
  };
}
