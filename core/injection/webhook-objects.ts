/** Names of the webhook's objects in a cluster, as in manifests/base. */
export const webhookObjects = {
  namespace: "kubectl-fabric-system",
  /** The name of its Deployment, Service, ServiceAccount, MutatingWebhookConfiguration, and the ConfigMap of its settings. */
  name: "kubectl-fabric-webhook",
  /** Secrets: of the signing authority, and of the served certificate. */
  authority: "kubectl-fabric-webhook-authority",
  leaf: "kubectl-fabric-webhook-tls",
} as const;
