/** What the webhook is called in a cluster, as manifests/base has it. */
export const webhookObjects = {
  namespace: "kubectl-fabric-system",
  /** Of its Deployment, its Service, its ServiceAccount, its MutatingWebhookConfiguration, and the ConfigMap of its settings. */
  name: "kubectl-fabric-webhook",
  /** Secrets: of the authority that signs, and of what is served. */
  authority: "kubectl-fabric-webhook-authority",
  leaf: "kubectl-fabric-webhook-tls",
} as const;
