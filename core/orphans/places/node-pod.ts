import { annotationPrefix } from "../../injection/annotations.ts";
import type { V1Pod } from "../../kubernetes/client-node.ts";
import { managedBy } from "../../kubernetes/ownership.ts";

/** How a node's Docker is reached, where the user asks for it. */
export interface NodeAccess {
  /** Where the short-lived Pods are made: a namespace whose Pod Security level lets a Pod see a node's files. */
  readonly namespace: string;
  /** An image with the docker command. */
  readonly image: string;
  /** The daemon's socket on the node. */
  readonly socket: string;
}

export const nodeAccessDefaults = { image: "docker.io/library/docker:28-dind", socket: "/run/docker.sock" } as const;

export const nodePodLabels = { ...managedBy, "app.kubernetes.io/component": "cleanup" } as const;
export const nodePodContainer = "docker";

/** Which run of ours made it. */
export const runLabel = `${annotationPrefix}cleanup-run`;

/** Seconds after which the kubelet ends the Pod, whatever became of us. */
const lifetime = 900;

/**
 * A Pod on one node that sees the directory of the daemon's socket, and does nothing by itself. It runs as root without any capability
 * and is not privileged: the socket's owner may open it. What it may do through the socket is everything, as with any docker.sock.
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
          // The directory: a socket that is not there would be made as a folder.
          volumeMounts: [{ name: "run", mountPath, readOnly: true }],
        },
      ],
      volumes: [{ name: "run", hostPath: { path: directoryOf(socket), type: "Directory" } }],
    },
  };
}

const mountPath = "/node";

/** The daemon as the Pod sees it. */
export function mountedSocket(socket: string): string {
  return `unix://${mountPath}${socket.slice(socket.lastIndexOf("/"))}`;
}

function directoryOf(socket: string): string {
  return socket.slice(0, socket.lastIndexOf("/")) || "/";
}
