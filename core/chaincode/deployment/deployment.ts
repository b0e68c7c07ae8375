import type { ChaincodeDefinition } from "../../fabric/chaincode/chaincode-definition.ts";
import type { ChaincodePackage } from "../../fabric/package/chaincode-package.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import type { DeployOperation, OtherTerms } from "./deploy-operation.ts";
import type { GivenImage } from "../image/given-image.ts";
import { hostOf, type FabricNode } from "../../network/resources/nodes.ts";
import type { PeerOrganization } from "../../network/resources/spec.ts";
import type { ActingStep, Step } from "../../engine/step.ts";
import type { RuntimeName } from "./runtime-options.ts";

/** A package that an organization is to run, whether its bytes are at hand or have to be asked for. */
export interface PackageToDeploy {
  /** `label:sha256` */
  readonly id: string;
  /** "node", "golang", "java", "ccaas" ...; undefined where only the ID is known yet. */
  readonly type: string | undefined;
  /** The image that the package stands for, where it came as one. */
  readonly image?: GivenImage | undefined;
  /** The package itself. Throws `not-found` when no peer has it any more. */
  load(signal: AbortSignal): Promise<ChaincodePackage>;
}

/** What one organization is to do for a chaincode. */
export interface Target {
  readonly organization: PeerOrganization;
  /** The peers that install it. None: the organization only approves. */
  readonly peers: readonly FabricNode[];
  /** Those of `peers` whose Pod is not ready: they are tried, but nothing waits for them. */
  readonly late: readonly FabricNode[];
  /** The peer that speaks for the organization. */
  readonly gateway: FabricNode;
  readonly pkg: PackageToDeploy;
}

/** One way to run chaincode. Install, approve and commit are common to all ways, and no part of this. */
export interface Runtime {
  readonly name: RuntimeName;
  /** The package that an organization's peers install and it approves; undefined when each organization keeps its package. */
  readonly packageFor: ((organization: PeerOrganization) => PackageToDeploy) | undefined;
  /** What has to be so before this peer installs. */
  readonly beforeInstall: (node: FabricNode) => readonly Step[];
  /** Steps before the organization approves and its peers install, for no peer can uninstall. */
  readonly beforehand: (organization: PeerOrganization) => readonly Step[];
  /** A peer runs it, once its definition is committed. */
  readonly started: (deployment: Deployment, target: Target, node: FabricNode, after: readonly Step[]) => ActingStep;
  /** Steps that remove what the former runtime has left, once all peers of the organization run the new definition. */
  readonly afterwards: (target: Target, after: readonly Step[]) => readonly Step[];
}

/** One chaincode on its way to one channel. */
export interface Deployment {
  readonly network: OpenNetwork;
  readonly channel: string;
  readonly definition: ChaincodeDefinition;
  /** The channel has not committed this definition yet. */
  readonly isNew: boolean;
  /** At least one. */
  readonly targets: readonly Target[];
  /** Where it runs. */
  readonly runtime: Runtime;
  /** MSP IDs -> whether their approvals are enough to commit; undefined when the channel's policy cannot be read. */
  readonly enough: ((approved: ReadonlySet<string>) => boolean) | undefined;
  /** Milliseconds for a Pod that goes meanwhile to come back; a minute unless told. */
  readonly patience: number | undefined;
  /** The deploy operation by which an organization's administrator joins this deployment, or changes terms of it. */
  readonly deploymentBy: (organization: string, terms?: OtherTerms) => DeployOperation;
}

/** A package whose bytes are at hand. */
export function packageAtHand(pkg: ChaincodePackage): PackageToDeploy {
  return { id: pkg.id, type: pkg.metadata.type, load: () => Promise.resolve(pkg) };
}

/** Every peer that is to have the chaincode, with what it is to have. */
export function installations({
  targets,
}: Pick<Deployment, "targets">): readonly { readonly target: Target; readonly node: FabricNode }[] {
  return targets.flatMap((target) => target.peers.map((node) => ({ target, node })));
}

export const isLate = ({ late }: Pick<Target, "late">, node: FabricNode): boolean =>
  late.some((other) => hostOf(other) === hostOf(node));
