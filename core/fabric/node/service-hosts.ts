/**
 * The names by which a Kubernetes Service is reached, shortest first (Kubernetes, "DNS for Services and Pods"), and
 * loopback for clients in the Pod itself or behind a port-forward.
 */
export function serviceHosts(name: string, namespace: string, clusterDomain = "cluster.local"): readonly string[] {
  const host = `${name}.${namespace}`;
  return [name, host, `${host}.svc`, `${host}.svc.${clusterDomain}`, "localhost", "127.0.0.1"];
}
