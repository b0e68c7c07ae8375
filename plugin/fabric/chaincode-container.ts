/**
 * The end of the name of every container that runs a package, whatever the peer's network and ID: they differ, it does not
 * (core/container/dockercontroller/dockercontroller.go, GetVMName).
 */
export function containerSuffix(packageId: string): string {
  return `-${packageId.replaceAll(/[^a-zA-Z0-9-_.]/g, "-")}`;
}
