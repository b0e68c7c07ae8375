/** What is fixed about the cluster: there is one per machine. */
export const cluster = {
  version: "v1.36.3",
  node: "sandbox",
  services: "10.96.0.0/16",
  apiService: "10.96.0.1",
  dns: "10.96.0.10",
  pods: "10.244.0.0/24",
  domain: "cluster.local",
  apiPort: 6443,
  pauseImage: "docker.io/local/pause:1",
} as const;
