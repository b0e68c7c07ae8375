import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ChaincodePackage } from "../../plugin/fabric/chaincode-package.ts";
import { deployPackage, install, joinAll } from "../integration/emulator/network/actions.ts";
import { propose } from "../integration/emulator/network/client.ts";
import { channelId, eventually, type Network, type PeerNode } from "../integration/emulator/network/network.ts";
import { assetTransfer } from "./chaincode.ts";
import { columns, startColumn } from "./column.ts";
import { noDocker, startDocker, type DockerDaemon } from "./docker.ts";

const utf8 = new TextDecoder();

interface Inspected {
  readonly Config: {
    readonly Image: string;
    readonly Cmd: readonly string[];
    readonly Env: readonly string[];
    readonly Labels: Readonly<Record<string, string>> | null;
  };
  readonly HostConfig: { readonly NetworkMode: string; readonly Memory: number };
}

describe.each(columns)("$name", (column) => {
  const missing = column.missing ?? noDocker;
  let network: Network;
  let daemon: DockerDaemon;
  let org1: PeerNode;
  let org2: PeerNode;
  let chaincode: ChaincodePackage;

  beforeAll(async () => {
    if (missing !== undefined) {
      return;
    }
    daemon = await startDocker();
    network = await startColumn(column, "docker", {
      CORE_VM_ENDPOINT: daemon.endpoint,
      CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE: "host",
    });
    [org1, org2] = network.peers as [PeerNode, PeerNode];
    await joinAll(network);
    chaincode = await assetTransfer("assets_1.0");
  });

  afterAll(async () => {
    await network?.stop();
    await daemon?.stop();
  });

  /** core/container/dockercontroller/dockercontroller.go, GetVMName and GetVMNameForDocker. */
  const containerName = ({ organization: { mspId } }: PeerNode): string =>
    `dev-peer0.${mspId}-${chaincode.id.replace(":", "-")}`;
  const imageName = (node: PeerNode): string => {
    const name = containerName(node);
    return `${name}-${createHash("sha256").update(name).digest("hex")}`.toLowerCase();
  };
  /** What the first peer itself answers: a gateway would ask another when it fails. */
  const read = async (): Promise<readonly [number, string]> => {
    const answer = await propose(org1, { chaincode: "assets", channelId, args: ["ListAssets", "", ""] });
    const response = answer.getResponse();
    return [response?.getStatus() ?? 0, response?.getMessage() || utf8.decode(response?.getPayload_asU8())];
  };
  const inspected = async (): Promise<Inspected> => {
    const [container] = JSON.parse(await daemon.docker("inspect", containerName(org1))) as readonly Inspected[];
    if (container === undefined) {
      throw new Error(`expected a container ${containerName(org1)}`);
    }
    return container;
  };

  describe.skipIf(missing)("chaincode in Docker", () => {
    it("is built at installation, under an image name of the peer's own", async () => {
      expect((await install(org1, chaincode.bytes)).getStatus()).toBe(200);
      expect((await daemon.docker("images", "--format", "{{.Repository}}")).split("\n")).toContain(imageName(org1));
      // The peer has the daemon keep the two containers that its Dockerfile passes through.
      expect(await daemon.docker("ps", "--all", "--format", "{{.State}} {{.Networks}}")).toBe(
        "created host\ncreated host",
      );
    });

    it("is not built where the image is there beforehand", async () => {
      await daemon.docker("tag", imageName(org1), imageName(org2));
      const since = await daemon.docker("info", "--format", "{{.SystemTime}}");
      expect((await install(org2, chaincode.bytes)).getStatus()).toBe(200);
      const until = await daemon.docker("info", "--format", "{{.SystemTime}}");
      expect(await daemon.docker("events", "--since", since, "--until", until)).toBe("");
    });

    it("runs in a container with Fabric's name, arguments and environment", async () => {
      await deployPackage(network, { name: "assets", version: "1.0", sequence: 1 }, chaincode.bytes, chaincode.id);
      expect(await read()).toEqual([200, "[]"]);
      const { Config, HostConfig } = await inspected();
      expect([Config.Image, HostConfig.NetworkMode, HostConfig.Memory]).toEqual([imageName(org1), "host", 2147483648]);
      expect(Config.Cmd.slice(0, 2)).toEqual(["/bin/sh", "-c"]);
      expect(Config.Cmd[2]).toMatch(/\/chaincode\/start.sh --peer.address localhost:\d+\n/);
      expect(Config.Cmd[2]).toMatch(/npm start -- --peer.address localhost:\d+\n/);
      const set = Config.Env.filter((variable) => variable.startsWith("CORE_")).sort((a, b) => (a < b ? -1 : 1));
      // The release says its version with or without v; levels of logs are settings.
      expect(set.filter((variable) => !/^CORE_CHAINCODE_(LOGGING_|BUILDLEVEL=v?\d)/.test(variable))).toEqual([
        `CORE_CHAINCODE_ID_NAME=${chaincode.id}`,
        "CORE_PEER_LOCALMSPID=Org1MSP",
        "CORE_PEER_TLS_ENABLED=true",
        "CORE_PEER_TLS_ROOTCERT_FILE=/etc/hyperledger/fabric/peer.crt",
        "CORE_TLS_CLIENT_CERT_FILE=/etc/hyperledger/fabric/client_pem.crt",
        "CORE_TLS_CLIENT_CERT_PATH=/etc/hyperledger/fabric/client.crt",
        "CORE_TLS_CLIENT_KEY_FILE=/etc/hyperledger/fabric/client_pem.key",
        "CORE_TLS_CLIENT_KEY_PATH=/etc/hyperledger/fabric/client.key",
      ]);
      expect(Config.Labels).toMatchObject({
        "org.hyperledger.fabric.chaincode.type": "NODE",
      });
    });

    it("finds its TLS files in the container", async () => {
      const files = await daemon.docker("exec", containerName(org1), "ls", "/etc/hyperledger/fabric");
      expect(files.split("\n").sort((a, b) => (a < b ? -1 : 1))).toEqual([
        "client.crt",
        "client.key",
        "client_pem.crt",
        "client_pem.key",
        "peer.crt",
      ]);
      const certificate = await daemon.docker("exec", containerName(org1), "cat", "/etc/hyperledger/fabric/peer.crt");
      expect(certificate).toContain("-----BEGIN CERTIFICATE-----");
    });

    it("is started again after its container was killed", async () => {
      const id = () => daemon.docker("ps", "--no-trunc", "--quiet", "--filter", `name=^${containerName(org1)}$`);
      const before = await id();
      await daemon.docker("kill", containerName(org1));
      const answer = await eventually("an answer", async () => {
        const found = await read();
        return found[0] === 200 ? found : undefined;
      });
      expect(answer[1]).toBe("[]");
      expect(await id()).toMatch(/^[0-9a-f]{64}$/);
      expect(await id()).not.toBe(before);
    });

    it("cannot be started when its image has vanished", async () => {
      await daemon.docker("rm", "--force", containerName(org1));
      await daemon.docker("rmi", "--force", imageName(org1));
      const answer = await eventually("the end of the old container", async () => {
        const found = await read();
        return found[0] === 200 ? undefined : found;
      });
      expect(answer[0]).toBe(500);
      expect(answer[1]).toContain(
        `could not launch chaincode ${chaincode.id}: error starting container: error starting container: Error response from daemon: No such image: ${imageName(org1)}`,
      );
    });

    it("counts for a peer's health", async () => {
      expect((await fetch(`${org1.operations}/healthz`)).status).toBe(200);
    });
  });
});
