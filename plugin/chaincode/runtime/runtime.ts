import type { ChaincodePackage } from "../../fabric/chaincode-package.ts";
import type { FabricNode, Organization, PeerOrganization } from "../../network/spec.ts";
import type { Step } from "../../steps/step.ts";

export const runtimeNames = ["dind", "service"] as const;
/** Where chaincode runs: in the peer's own Docker daemon, or in a Deployment. */
export type RuntimeName = (typeof runtimeNames)[number];

/** One chaincode on one channel: what a runtime is asked for. */
export interface RuntimeRequest {
  readonly chaincode: string;
  readonly channel: string;
  readonly label: string;
  readonly organizations: readonly PeerOrganization[];
}

/** One way to run chaincode. What is common to all (approve, commit) is none of its business. */
export interface Runtime {
  readonly name: RuntimeName;
  /** What an organization's peers install and what it approves. */
  readonly packageFor: (organization: Organization) => ChaincodePackage;
  /** What has to be so before this peer installs. */
  readonly beforeInstall: (node: FabricNode) => readonly Step[];
  /** What has to be so before the organization approves: nobody agrees to chaincode that does not run. */
  readonly beforeApprove: (organization: PeerOrganization) => readonly Step[];
  /** What becomes of the runtime before this one, once all peers of the organization run the new definition. */
  readonly afterwards: (organization: PeerOrganization, after: readonly string[]) => readonly Step[];
}
