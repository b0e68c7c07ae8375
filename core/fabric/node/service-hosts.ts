/**
 * The names by which a Kubernetes Service is reached, shortest first, and loopback for who is in the Pod itself
 * or comes through a port-forward (Kubernetes, "DNS for Services and Pods").
 */
export function serviceHosts(name: string, namespace: string, clusterDomain = "cluster.local"): readonly string[] {
  const host = `${name}.${namespace}`;
  return [name, host, `${host}.svc`, `${host}.svc.${clusterDomain}`, "localhost", "127.0.0.1"];
}
