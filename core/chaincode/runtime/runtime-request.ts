import type { PeerOrganization } from "../../network/resources/spec.ts";
import type { PackageToDeploy } from "../deployment/deployment.ts";

/** One chaincode on one channel: what a runtime is asked for. */
export interface RuntimeRequest {
  readonly chaincode: string;
  readonly channel: string;
  readonly label: string;
  readonly organizations: readonly PeerOrganization[];
  /** The request says which package runs; else what each organization runs stays. */
  readonly chosen: boolean;
  /** Makes the package that peers build; undefined where what each organization runs stays. */
  readonly prepare: () => Promise<PackageToDeploy | undefined>;
}
