import type { FabricNode, PeerOrganization } from "../../network/spec.ts";
import type { Step } from "../../steps/step.ts";
import type { Deployment, PackageToDeploy, Target } from "../deployment.ts";

export const runtimeNames = ["dind", "on-demand", "service"] as const;
/** Where chaincode runs: in the peer's own Docker daemon (for good, or only while it is called), or in a Deployment. */
export type RuntimeName = (typeof runtimeNames)[number];

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

/** One way to run chaincode. What is common to all (install, approve, commit) is none of its business. */
export interface Runtime {
  readonly name: RuntimeName;
  /** What an organization's peers install and what it approves; unset where what each runs stays. */
  readonly packageFor: ((organization: PeerOrganization) => PackageToDeploy) | undefined;
  /** What has to be so before this peer installs. */
  readonly beforeInstall: (node: FabricNode) => readonly Step[];
  /** What has to be so before the organization's peers install, as no peer uninstalls, and before it approves. */
  readonly beforehand: (organization: PeerOrganization) => readonly Step[];
  /** A peer runs it, once its definition is committed. */
  readonly started: (deployment: Deployment, target: Target, node: FabricNode, after: readonly string[]) => Step;
  /** What becomes of the runtime before this one, once all peers of the organization run the new definition. */
  readonly afterwards: (target: Target, after: readonly string[]) => readonly Step[];
}
