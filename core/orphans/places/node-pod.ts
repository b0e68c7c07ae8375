import { annotationPrefix } from "../../injection/annotations.ts";
import type { V1Pod } from "../../kubernetes/client-node.ts";
import { managedBy } from "../../kubernetes/ownership.ts";

/** How to reach the nodes' Docker. */
export interface NodeAccess {
  /** The namespace of the short-lived Pods. Its Pod Security level has to allow hostPath volumes. */
  readonly namespace: string;
  /** An image with the docker command. */
  readonly image: string;
  /** The daemon's socket on the node. */
  readonly socket: string;
}

export const nodeAccessDefaults = { image: "docker.io/library/docker:28-dind", socket: "/run/docker.sock" } as const;

export const nodePodLabels = { ...managedBy, "app.kubernetes.io/component": "cleanup" } as const;
export const nodePodContainer = "docker";

/** The label with the run of `cleanup` that made a Pod. */
export const runLabel = `${annotationPrefix}cleanup-run`;

/** Seconds after which the kubelet ends the Pod, even when our process was killed. */
const lifetime = 900;

/**
 * A Pod on one node that mounts the directory of the daemon's socket, and does nothing by itself. It runs as root, the socket's owner,
 * without capabilities and not privileged. Through the socket it can do anything, as with any docker.sock.
 */
export function nodePod({ namespace, image, socket }: NodeAccess, nodeName: string, run: string): V1Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { generateName: "kubectl-fabric-cleanup-", namespace, labels: { ...nodePodLabels, [runLabel]: run } },
    spec: {
      nodeName,
      restartPolicy: "Never",
      activeDeadlineSeconds: lifetime,
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      tolerations: [{ operator: "Exists" }],
      containers: [
        {
          name: nodePodContainer,
          image,
          command: ["sleep", String(lifetime)],
          securityContext: {
            runAsUser: 0,
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
            seccompProfile: { type: "RuntimeDefault" },
          },
          resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { memory: "128Mi" } },
          // The directory and not the socket: a missing socket would be created as a folder.
          volumeMounts: [{ name: "run", mountPath, readOnly: true }],
        },
      ],
      volumes: [{ name: "run", hostPath: { path: directoryOf(socket), type: "Directory" } }],
    },
  };
}

const mountPath = "/node";

/** The daemon's socket inside the Pod. */
export function mountedSocket(socket: string): string {
  return `unix://${mountPath}${socket.slice(socket.lastIndexOf("/"))}`;
}

function directoryOf(socket: string): string {
  return socket.slice(0, socket.lastIndexOf("/")) || "/";
}
