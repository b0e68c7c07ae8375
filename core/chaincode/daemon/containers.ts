import { listContainers, type ContainerSummary } from "../../docker/containers.ts";
import { containerSuffix } from "../../fabric/chaincode/chaincode-container.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import type { FabricNode } from "../../network/resources/nodes.ts";
import { withDaemon } from "./daemon.ts";

/** A container that a peer has started for a package. */
export interface ChaincodeContainer {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly state: ContainerSummary["State"];
  /** "Up 3 minutes" */
  readonly status: string;
}

/** Containers in a peer's daemon, those that have ended too. Throws as `withDaemon`. */
export async function containersOf(
  network: OpenNetwork,
  node: FabricNode,
  signal: AbortSignal,
): Promise<readonly ChaincodeContainer[]> {
  const found = await withDaemon(network, node, signal, (engine) => listContainers(engine, undefined, signal));
  return found.map(({ Id, Names: [name = ""], Image, State, Status }) => ({
    id: Id,
    name: name.replace(/^\//, ""),
    image: Image,
    state: State,
    status: Status,
  }));
}

/** The container of a package: a peer has one at most. */
export function containerOf(
  containers: readonly ChaincodeContainer[],
  packageId: string,
): ChaincodeContainer | undefined {
  const suffix = containerSuffix(packageId);
  return containers.find(({ name }) => name.endsWith(suffix));
}
