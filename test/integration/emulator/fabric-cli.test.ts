// The binaries of a real release as clients: FABRIC_HOME, else the newest under /opt/hyperledger-fabric.
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { servicePackage } from "./network/client.ts";
import { channelId, eventually, startNetwork, type Network, type PeerNode } from "./network/network.ts";
import { newProcess, type NodeProcess } from "./network/processes.ts";
import { freePorts } from "../free-ports.ts";
import { realReleases } from "../core/fabric/fabric-release.ts";

const fabricHome = realReleases.at(-1)?.home ?? "";
const run = promisify(execFile);
let network: Network;
let service: NodeProcess;

async function osnadmin(index: number, ...args: readonly string[]): Promise<string> {
  const orderer = network.orderers[index];
  if (orderer === undefined) {
    throw new Error(`expected an orderer ${index}`);
  }
  const tls = ["--ca-file", "ca.crt", "--client-cert", "server.crt", "--client-key", "server.key"].map((part) =>
    part.includes(".") ? join(orderer.tlsDirectory, part) : part,
  );
  const address = ["-o", `127.0.0.1:${orderer.adminPort}`];
  return (await run(join(fabricHome, "bin/osnadmin"), ["channel", ...args, ...address, ...tls])).stdout;
}

/** Standard output and error of the peer command, run as the administrator of the node's organization. */
async function cli(node: PeerNode, ...args: readonly string[]): Promise<string> {
  const { organization } = node;
  const { stdout, stderr } = await run(join(fabricHome, "bin/peer"), [...args], {
    env: {
      FABRIC_CFG_PATH: join(fabricHome, "config"),
      FABRIC_LOGGING_SPEC: "error",
      CORE_PEER_TLS_ENABLED: "true",
      CORE_PEER_LOCALMSPID: organization.mspId,
      CORE_PEER_ADDRESS: node.address,
      CORE_PEER_TLS_ROOTCERT_FILE: organization.tlsCaFile,
      CORE_PEER_MSPCONFIGPATH: organization.adminMsp,
    },
  });
  return stdout + stderr;
}

function ordererFlags(): readonly string[] {
  return ["-o", `127.0.0.1:${network.orderers[1]?.port}`, "--tls", "--cafile", network.ordererOrganization.tlsCaFile];
}

function everyPeer(): readonly string[] {
  return network.peers.flatMap(({ address, organization }) => [
    "--peerAddresses",
    address,
    "--tlsRootCertFiles",
    organization.tlsCaFile,
  ]);
}

describe.skipIf(fabricHome === "")("osnadmin and peer of a real release", () => {
  const definition = ["--channelID", channelId, "--name", "assets", "--version", "1.0", "--sequence", "1"];

  beforeAll(async () => {
    network = await startNetwork();
  });

  afterAll(async () => {
    await service.stop();
    await network.stop();
  });

  test("join the orderers", async () => {
    const joining = ["join", "--channelID", channelId, "--config-block", network.genesisFile];
    for (const index of network.orderers.keys()) {
      expect(await osnadmin(index, ...joining)).toContain("Status: 201");
    }
    expect(await osnadmin(0, ...joining)).toContain('"error": "cannot join: channel already exists"');
    expect(await osnadmin(0, "list")).toContain('"name": "mychannel"');
    expect(await osnadmin(0, "list", "--channelID", channelId)).toContain('"consensusRelation": "consenter"');
  });

  test("join the peers", async () => {
    for (const node of network.peers) {
      await cli(node, "channel", "join", "-b", network.genesisFile);
      expect(await cli(node, "channel", "list")).toContain(channelId);
    }
  });

  test("install, approve and commit a chaincode", async () => {
    const [port = 0] = await freePorts(1);
    const address = `127.0.0.1:${port}`;
    const { bytes, packageId } = await servicePackage("assets_1.0", address);
    const file = join(network.directory, "assets.tar.gz");
    await writeFile(file, bytes);
    service = newProcess(
      [process.execPath, join(import.meta.dirname, "asset-chaincode.ts")],
      { CHAINCODE_ID: packageId, CHAINCODE_SERVER_ADDRESS: address, CORE_CHAINCODE_LOGGING_SHIM: "error" },
      /chaincode serves/,
    );
    await service.start();
    await eventually("a leader", () =>
      network.orderers.every((one) => one.process.output().includes("Raft leader changed")) ? true : undefined,
    );
    for (const node of network.peers) {
      await cli(node, "lifecycle", "chaincode", "install", file);
      expect(await cli(node, "lifecycle", "chaincode", "queryinstalled")).toContain(packageId);
      const approve = ["lifecycle", "chaincode", "approveformyorg", ...definition, "--package-id", packageId];
      await cli(node, ...approve, ...ordererFlags());
    }
    const [first] = network.peers as readonly [PeerNode];
    // The block with the last approval may still be on its way to the first peer.
    await eventually("approvals of both organizations", async () => {
      const answer = await cli(first, "lifecycle", "chaincode", "checkcommitreadiness", ...definition, "-O", "json");
      const { approvals } = JSON.parse(answer) as { readonly approvals: Readonly<Record<string, boolean>> };
      return (approvals["Org1MSP"] === true && approvals["Org2MSP"] === true) || undefined;
    });
    await cli(first, "lifecycle", "chaincode", "commit", ...definition, ...ordererFlags(), ...everyPeer());
    expect(await cli(first, "lifecycle", "chaincode", "querycommitted", "--channelID", channelId)).toContain(
      "Name: assets, Version: 1.0, Sequence: 1",
    );
  });

  test("invoke and query it", async () => {
    const [first, second] = network.peers as readonly [PeerNode, PeerNode];
    const call = ["-C", channelId, "-n", "assets", "-c"];
    const invoke = ["chaincode", "invoke", ...call, '{"Args":["put","a","1"]}', "--waitForEvent"];
    await cli(first, ...invoke, ...ordererFlags(), ...everyPeer());
    const value = await eventually("the value at the other peer", async () => {
      const answer = await cli(second, "chaincode", "query", ...call, '{"Args":["get","a"]}');
      return answer.trim() || undefined;
    });
    expect(value).toBe("1");
  });

  test("fetch blocks from orderers and tell the height", async () => {
    const [first] = network.peers as readonly [PeerNode];
    const file = join(network.directory, "fetched.block");
    for (const which of ["oldest", "newest", "config", "2"]) {
      await cli(first, "channel", "fetch", which, file, "-c", channelId, ...ordererFlags());
    }
    expect(await cli(first, "channel", "getinfo", "-c", channelId)).toContain('"height":5');
  });

  test("unjoin an orderer", async () => {
    expect(await osnadmin(2, "remove", "--channelID", channelId)).toContain("Status: 204");
    expect(await osnadmin(2, "list", "--channelID", channelId)).toContain("channel does not exist");
  });
});
