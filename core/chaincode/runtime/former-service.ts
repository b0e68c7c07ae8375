import { FabricError } from "../../error.ts";
import { connectionAddress } from "../../fabric/package/service-chaincode.ts";
import { ifAllowed } from "../../kubernetes/allowed.ts";
import { list } from "../../kubernetes/objects.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import type { PeerOrganization } from "../../network/resources/spec.ts";
import type { PackageToDeploy } from "../deployment/deployment.ts";

/** "cc-asset-1f.org1:9999". With one server for each peer, the peer fills in its own name: "cc-asset-1f-{{.peername}}.org1:9999". */
const inCluster =
  /^(?<service>[a-z][-a-z0-9]*)(?<ofPeer>\{\{[^}]*\}\})?(\.(?<namespace>[-a-z0-9]+)(\.svc(\.[-.a-z0-9]+)?)?)?(:\d+)?$/;

/**
 * Peers may have a former package that names a service in their organization's namespace. Throws `usage` when that service is gone: a later
 * deployment has removed it. Nothing is checked when the user may not list Services.
 */
export async function checkServed(
  { cluster }: Pick<OpenNetwork, "cluster">,
  { name, namespace }: PeerOrganization,
  pkg: PackageToDeploy,
  signal: AbortSignal,
): Promise<void> {
  const loaded = await pkg.load(signal);
  if (loaded.metadata.type !== "ccaas") return;
  // An address that cannot be read is for the external builder to report.
  const address = await connectionAddress(loaded).catch(() => undefined);
  const { service, ofPeer, namespace: where = namespace } = inCluster.exec(address ?? "")?.groups ?? {};
  if (service === undefined || service === "localhost" || where !== namespace) return;
  const leads = (found = ""): boolean => (ofPeer === undefined ? found === service : found.startsWith(service));
  const services = await ifAllowed(list(cluster, { kind: "Service", namespace }, signal));
  if (!services || services.some(({ metadata }) => leads(metadata?.name))) return;
  throw new FabricError(
    "usage",
    `expected the service that peers of ${name} are to call, ${service}.${where}, found none`,
    {
      hint: [
        { setting: "runtime", to: "service" },
        " ",
        { setting: "image", to: "IMAGE" },
        " runs it again, as a new sequence",
      ],
    },
  );
}
