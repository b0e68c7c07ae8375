import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newPlugin, type Plugin } from "./plugin-process.ts";

/** What a test asks of its network. */
export interface TestNetworkOptions {
  /** Tag of Fabric's images, such as 3.1. */
  readonly tag: string;
  /** 1 unless said. */
  readonly orderers?: number;
  /** Of org1 and of org2: one each unless said. */
  readonly peers?: readonly [org1: number, org2: number];
  readonly profile?: "restricted";
}

/** A network with namespaces of its own: several files of tests share one cluster. */
export interface TestNetwork {
  /** Each command is about this network. */
  readonly plugin: Plugin;
  /** The command that makes it. */
  readonly init: readonly string[];
  /** Where an organization's nodes live: orderer, org1 or org2. */
  readonly namespaceOf: (organization: string) => string;
  /** Takes it away, however far it came. */
  remove(): Promise<void>;
}

/** Nothing is made yet but the file that `init` reads. `name` is the network's, and begins each namespace's. */
export async function newTestNetwork(name: string, options: TestNetworkOptions): Promise<TestNetwork> {
  const { tag, orderers = 1, peers = [1, 1], profile } = options;
  const plugin = newPlugin("--network", name);
  const namespaceOf = (organization: string) => `${name}-${organization}`;
  const image = (component: string) => `docker.io/hyperledger/fabric-${component}:${tag}`;
  const definition = {
    apiVersion: "kubectl-fabric.io/v1alpha1",
    kind: "FabricNetwork",
    metadata: { name },
    spec: {
      fabricVersion: tag,
      images: { peer: image("peer"), orderer: image("orderer") },
      storage: { ledger: "1Gi", docker: "5Gi" },
      ...(profile && { profile }),
      ordererOrganization: { name: "orderer", mspId: "OrdererMSP", namespace: namespaceOf("orderer"), orderers },
      peerOrganizations: [
        { name: "org1", mspId: "Org1MSP", namespace: namespaceOf("org1"), peers: peers[0] },
        { name: "org2", mspId: "Org2MSP", namespace: namespaceOf("org2"), peers: peers[1] },
      ],
    },
  };
  const folder = await mkdtemp(join(tmpdir(), `${name}-`));
  const file = join(folder, "network.json");
  await writeFile(file, JSON.stringify(definition));
  return {
    plugin,
    init: ["init", "--file", file],
    namespaceOf,
    async remove() {
      await plugin.output(["down", "--yes"]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
