import type { V1EnvVar, V1SecurityContext } from "@kubernetes/client-node";
import type { annotationKeys } from "./annotations.ts";

export const profileNames = ["privileged", "userns", "sysbox", "gvisor", "rootless", "restricted"] as const;
export type ProfileName = (typeof profileNames)[number];

export const chaincodeNetworks = ["host", "bridge"] as const;
export type ChaincodeNetwork = (typeof chaincodeNetworks)[number];

/** Pod Security levels (KEP-2579), the strictest last. */
export const podSecurityLevels = ["privileged", "baseline", "restricted"] as const;
export type PodSecurityLevel = (typeof podSecurityLevels)[number];

/** How chaincode reaches the peer, in one network mode. */
export interface Wiring {
  /** CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE */
  readonly networkMode: string;
  /** Host that chaincode dials; the peer issues the chaincode server's certificate for it (Fabric: common/crypto/tlsgen/key.go). */
  readonly address: string;
  /** Host that the peer listens on for chaincode. */
  readonly listen: string;
}

/** The fields of a class as a plain type, whose values may be spread. */
type Plain<T> = Pick<T, keyof T>;

/**
 * One kind of sidecar that builds and runs a peer's chaincode, as data: all that the injection has to know of it.
 * In arguments, `{socket}`, `{data}` (within the graph volume), `{group}`, `{mtu}`, `{mirror}` and `{bridge}` stand for values of the
 * injection; an argument whose value is not known is left out.
 */
export interface Profile {
  readonly name: ProfileName;
  readonly maturity: "stable" | "experimental";
  /** One line for people. */
  readonly summary: string;
  readonly image: { readonly default: string; readonly allowed: readonly string[] };
  /** The program of the image that our start script runs; without it, the image's own entrypoint runs. */
  readonly entrypoint?: string;
  readonly arguments: readonly string[];
  readonly environment: readonly V1EnvVar[];
  readonly securityContext: Plain<V1SecurityContext>;
  /** A command inside the sidecar that succeeds as soon as the sidecar serves the peer. */
  readonly ready: readonly string[];
  /** A command that succeeds in a busy sidecar, but not in a hung one. Profiles with Docker have none: a restart would end builds. */
  readonly alive?: readonly string[];
  /** Where the sidecar keeps images and containers: always a volume. */
  readonly graph: string;
  /** Fields of the Pod's spec that the profile needs. */
  readonly pod: { readonly hostUsers?: false; readonly runtimeClassName?: string };
  readonly wiring: Readonly<Partial<Record<ChaincodeNetwork, Wiring>>>;
  /** Variables that the wiring's addresses refer to. */
  readonly peerEnvironment?: readonly V1EnvVar[];
  /** Annotations that only Docker would use: they are denied. */
  readonly withoutMeaning?: readonly (keyof typeof annotationKeys)[];
  /** The strictest Pod Security level that admits such a Pod, and the oldest Kubernetes and Linux that can run it. */
  readonly requires: {
    readonly podSecurity: PodSecurityLevel;
    readonly kubernetes?: string;
    /** The oldest Linux. Nodes report theirs, but the webhook does not read it. */
    readonly kernel?: string;
  };
}

/** The socket's directory, in the sidecar and in the peer. At the root: charts mount over /run, /var/run and /host. */
export const socketDirectory = "/kubectl-fabric";
export const socketPath = `${socketDirectory}/docker.sock`;
export const dockerEndpoint = `unix://${socketPath}`;

/** The socket's group, given to the peer as well, so that a peer that is not root may connect. */
export const socketGroup = 7052;

/** docker0's address when chaincode runs on the bridge: fixed, because chaincode dials it. */
export const bridgeAddress = "172.17.0.1";

const hostWiring: Wiring = { networkMode: "host", address: "localhost", listen: "localhost" };
const bridgeWiring: Wiring = { networkMode: "bridge", address: bridgeAddress, listen: bridgeAddress };

/*
 * `dockerd` comes first: the official image's entrypoint then neither adds tcp://0.0.0.0:2375 nor skips the `dind` script, which
 * moves the processes into a child cgroup, so that nested containers stay within the Pod's limits on cgroup v2 (moby: hack/dind).
 * A group may be a number (moby: daemon/listeners/group_unix.go).
 */
const dockerdArguments = [
  "dockerd",
  "--host=unix://{socket}",
  "--group={group}",
  "--data-root={data}",
  "--storage-driver=overlay2",
  "--mtu={mtu}",
  "--registry-mirror={mirror}",
  "--bip={bridge}",
] as const;

/** Complete, because a container inherits missing fields from the Pod, and a peer's Pod often has runAsNonRoot. */
const rootSecurityContext: Plain<V1SecurityContext> = {
  runAsUser: 0,
  runAsGroup: 0,
  runAsNonRoot: false,
  readOnlyRootFilesystem: false,
  seccompProfile: { type: "Unconfined" },
};

const dockerImage = {
  default: "docker.io/library/docker:28-dind",
  allowed: ["docker.io/library/docker:dind", "docker.io/library/docker:*-dind"],
} as const;

const dockerDaemon = {
  image: dockerImage,
  entrypoint: "dockerd-entrypoint.sh",
  arguments: dockerdArguments,
  environment: [{ name: "DOCKER_HOST", value: dockerEndpoint }],
  ready: ["docker", "info"],
  graph: "/var/lib/docker",
} as const;

export const profiles: Readonly<Record<ProfileName, Profile>> = {
  privileged: {
    ...dockerDaemon,
    name: "privileged",
    maturity: "stable",
    summary: "Docker in a privileged container",
    securityContext: { ...rootSecurityContext, privileged: true, allowPrivilegeEscalation: true },
    pod: {},
    wiring: { host: hostWiring, bridge: bridgeWiring },
    requires: { podSecurity: "privileged" },
  },
  // KEP-127: root in the Pod has no rights on the node. On by default since 1.33; the kernel must idmap every volume's file system.
  userns: {
    ...dockerDaemon,
    name: "userns",
    maturity: "experimental",
    summary: "Docker in a privileged container of a Pod with its own user namespace",
    securityContext: { ...rootSecurityContext, privileged: true, allowPrivilegeEscalation: true },
    pod: { hostUsers: false },
    wiring: { host: hostWiring, bridge: bridgeWiring },
    // tmpfs has idmapped mounts since Linux 6.3, and every Pod has a tmpfs with its token.
    requires: { podSecurity: "privileged", kubernetes: "1.33", kernel: "6.3" },
  },
  // sysbox-runc emulates what dockerd needs of /proc and /sys, without privilege on the node.
  sysbox: {
    ...dockerDaemon,
    name: "sysbox",
    maturity: "experimental",
    summary: "Docker without privilege under the sysbox-runc runtime",
    securityContext: { ...rootSecurityContext, seccompProfile: { type: "RuntimeDefault" }, privileged: false },
    pod: { runtimeClassName: "sysbox-runc" },
    wiring: { host: hostWiring, bridge: bridgeWiring },
    requires: { podSecurity: "baseline" },
  },
  // gVisor's kernel grants capabilities inside its sandbox only. Its bridge netfilter is not reliable, hence only the host network.
  gvisor: {
    ...dockerDaemon,
    name: "gvisor",
    maturity: "experimental",
    summary: "Docker inside a gVisor sandbox",
    arguments: [
      ...dockerdArguments.filter((argument) => !argument.startsWith("--bip")),
      "--iptables=false",
      "--ip6tables=false",
    ],
    securityContext: {
      ...rootSecurityContext,
      seccompProfile: { type: "RuntimeDefault" },
      capabilities: { add: ["ALL"] },
    },
    pod: { runtimeClassName: "gvisor" },
    wiring: { host: hostWiring },
    requires: { podSecurity: "privileged" },
  },
  /*
   * Rootless Docker still needs a privileged container (seccomp, masked /proc), but its processes are uid 1000 on the node. Its
   * "host" network is rootlesskit's own: chaincode cannot reach the peer's loopback (the entrypoint sets --disable-host-loopback), but
   * it can reach the Pod's address.
   */
  rootless: {
    ...dockerDaemon,
    name: "rootless",
    maturity: "experimental",
    summary: "Docker as an ordinary user in a privileged container",
    image: {
      default: "docker.io/library/docker:28-dind-rootless",
      allowed: ["docker.io/library/docker:dind-rootless", "docker.io/library/docker:*-dind-rootless"],
    },
    arguments: ["dockerd", "--host=unix://{socket}", "--data-root={data}", "--mtu={mtu}", "--registry-mirror={mirror}"],
    environment: [...dockerDaemon.environment, { name: "DOCKERD_ROOTLESS_ROOTLESSKIT_NET", value: "slirp4netns" }],
    securityContext: {
      privileged: true,
      allowPrivilegeEscalation: true,
      runAsUser: 1000,
      runAsGroup: socketGroup,
      runAsNonRoot: true,
      readOnlyRootFilesystem: false,
      seccompProfile: { type: "Unconfined" },
    },
    graph: "/home/rootless/.local/share/docker",
    pod: {},
    wiring: { host: { networkMode: "host", address: "$(KUBECTL_FABRIC_POD_IP)", listen: "0.0.0.0" } },
    peerEnvironment: [{ name: "KUBECTL_FABRIC_POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
    requires: { podSecurity: "privileged" },
  },
  /*
   * No Docker: the runner (runner/) starts chaincode as processes of an ordinary user. The security context has all that Pod Security
   * "restricted" requires. The state is the volume itself, whose directory belongs to no user that chaincode could act as.
   */
  restricted: {
    name: "restricted",
    maturity: "experimental",
    summary: "chaincode without privilege, as processes of the runner",
    image: {
      // The tag is this version of kubectl-fabric, as that of the webhook's image.
      default: "docker.io/kubectlfabric/runner:0.1.0",
      allowed: ["docker.io/kubectlfabric/runner", "docker.io/kubectlfabric/runner:*"],
    },
    arguments: ["--socket={socket}", "--state=/var/lib/runner"],
    environment: [{ name: "DOCKER_HOST", value: dockerEndpoint }],
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsUser: 10_001,
      runAsGroup: socketGroup,
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    },
    ready: ["docker", "info"],
    alive: ["docker", "info"],
    graph: "/var/lib/runner",
    pod: {},
    wiring: { host: hostWiring },
    withoutMeaning: ["preload", "preloadArchives", "registryMirror", "mtu", "chaincodeIdle"],
    // Landlock ABI 6 (runner/confine/check.go).
    requires: { podSecurity: "restricted", kernel: "6.12" },
  },
};
