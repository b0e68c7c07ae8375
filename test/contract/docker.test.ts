import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { extract } from "tar-stream";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ChaincodePackage } from "../../core/fabric/package/chaincode-package.ts";
import { deployPackage, install, joinAll } from "../integration/emulator/network/actions.ts";
import { hear } from "../integration/emulator/network/answers.ts";
import { propose } from "../integration/emulator/network/client.ts";
import { channelId, eventually, type Network, type PeerNode } from "../integration/emulator/network/network.ts";
import { callApi, noRunner, startRunner } from "../integration/runner/runner-process.ts";
import { compareAnswers } from "./answers/recording.ts";
import { assetTransfer } from "./chaincode.ts";
import { columns, startColumn } from "./column.ts";
import { noDocker, startDocker, type ChaincodeHost } from "./docker.ts";
import { startRecordingProxy, type RecordingProxy } from "./recording-proxy.ts";

const utf8 = new TextDecoder();

/** Docker, and what takes its place without privilege: peers are not to see a difference. */
const hosts = [
  { where: "Docker", noHost: noDocker, start: (): Promise<ChaincodeHost> => startDocker() },
  { where: "the runner", noHost: noRunner, start: (): Promise<ChaincodeHost> => startRunner() },
] as const;

const cases = columns.flatMap((column) => hosts.map((host) => ({ ...host, column, name: column.name })));

interface ListedImage {
  readonly RepoTags: readonly string[] | null;
}

interface ListedContainer {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly State: string;
  readonly HostConfig: { readonly NetworkMode: string };
}

interface Inspected {
  readonly Config: {
    readonly Image: string;
    readonly Cmd: readonly string[];
    readonly Env: readonly string[];
    readonly Labels: Readonly<Record<string, string>> | null;
  };
  readonly HostConfig: { readonly NetworkMode: string; readonly Memory: number };
}

describe.each(cases)("$name", ({ column, where, noHost, start }) => {
  const missing = column.missing ?? noHost;
  let network: Network;
  let host: ChaincodeHost;
  let folder: string;
  let proxy: RecordingProxy;
  let org1: PeerNode;
  let org2: PeerNode;
  let chaincode: ChaincodePackage;

  compareAnswers(column, () => network);

  beforeAll(async () => {
    if (missing !== undefined) {
      return;
    }
    host = await start();
    folder = await mkdtemp(join(tmpdir(), "contract-docker-"));
    const socket = join(folder, "docker.sock");
    proxy = await startRecordingProxy(socket, host.socket);
    network = await startColumn(column, "docker", {
      CORE_VM_ENDPOINT: `unix://${socket}`,
      CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE: "host",
    });
    [org1, org2] = network.peers as [PeerNode, PeerNode];
    await joinAll(network);
    chaincode = await assetTransfer("assets_1.0");
  });

  afterAll(async () => {
    await network?.stop();
    await proxy?.stop();
    await host?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  /** core/container/dockercontroller/dockercontroller.go, GetVMName and GetVMNameForDocker. */
  const containerName = ({ organization: { mspId } }: PeerNode, { id } = chaincode): string =>
    `dev-peer0.${mspId}-${id.replace(":", "-")}`;
  const imageName = (node: PeerNode, pkg = chaincode): string => {
    const name = containerName(node, pkg);
    return `${name}-${createHash("sha256").update(name).digest("hex")}`.toLowerCase();
  };
  /** What the first peer itself answers: a gateway would ask another when it fails. */
  const read = async (): Promise<readonly [number, string]> => {
    const answer = await propose(org1, { chaincode: "assets", channelId, args: ["ListAssets", "", ""] });
    const response = answer.getResponse();
    return [response?.getStatus() ?? 0, response?.getMessage() || utf8.decode(response?.getPayload_asU8())];
  };
  const api = async (method: string, path: string): Promise<unknown> => {
    const answer = await callApi(host.socket, method, path);
    expect([method, path, answer.status]).toEqual([method, path, expect.toSatisfy((status: number) => status < 300)]);
    return answer.body.length === 0 ? undefined : answer.json();
  };
  const inspected = async () => (await api("GET", `/containers/${containerName(org1)}/json`)) as Inspected;
  const imageNames = async (): Promise<readonly string[]> => {
    const images = (await api("GET", "/images/json")) as readonly ListedImage[];
    return images.flatMap(({ RepoTags }) => RepoTags ?? []);
  };
  const containers = async () => (await api("GET", "/containers/json?all=1")) as readonly ListedContainer[];
  const running = async (node = org1, pkg = chaincode) =>
    (await containers()).find(({ Names }) => Names.includes(`/${containerName(node, pkg)}`));
  /** Files of a directory in the container, by name. */
  const filesIn = async (directory: string): Promise<ReadonlyMap<string, string>> => {
    const answer = await callApi(host.socket, "GET", `/containers/${containerName(org1)}/archive?path=${directory}/.`);
    const files = new Map<string, string>();
    const archive = extract();
    Readable.from([answer.body]).pipe(archive);
    for await (const entry of archive) {
      const content = await text(entry);
      if (entry.header.type === "file") files.set(entry.header.name.replace(/^.*\//, ""), content);
    }
    return files;
  };

  describe.skipIf(missing)(`chaincode in ${where}`, () => {
    test("is built at installation, under an image name of the peer's own", async () => {
      expect((await install(org1, chaincode.bytes)).getStatus()).toBe(200);
      hear("what the peer has Docker do", proxy.changes(), org1.address);
      expect(await imageNames()).toContain(`${imageName(org1)}:latest`);
      // The peer removes the container that it compiled in, and has Docker keep those that its Dockerfile passes through.
      const left = (await containers()).map(({ State, HostConfig }) => `${State} ${HostConfig.NetworkMode}`);
      expect(left).toEqual(where === "Docker" ? ["created host", "created host"] : []);
    });

    test("is not built where the image is there beforehand", async () => {
      await api("POST", `/images/${imageName(org1)}/tag?repo=${imageName(org2)}&tag=latest`);
      const before = proxy.changes().length;
      expect((await install(org2, chaincode.bytes)).getStatus()).toBe(200);
      expect(proxy.changes().slice(before)).toEqual([]);
      expect(proxy.changes()).toContain("POST /build");
    });

    test("runs in a container with Fabric's name, arguments and environment", async () => {
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
      const kept = set.filter((variable) => !variable.startsWith("CORE_CHAINCODE_LOGGING_"));
      const labels = Object.entries(Config.Labels ?? {}).filter(([label]) =>
        label.startsWith("org.hyperledger.fabric."),
      );
      const { Image, Cmd } = Config;
      const { NetworkMode, Memory } = HostConfig;
      hear("the container", { Image, Cmd, Env: kept, Labels: Object.fromEntries(labels), NetworkMode, Memory });
      expect(Config.Labels).toMatchObject({
        "org.hyperledger.fabric.chaincode.type": "NODE",
      });
    });

    test("is told apart from other things when what the disk holds is asked for", async () => {
      const usage = (await api("GET", "/system/df?type=image&type=container")) as {
        readonly Images: readonly (ListedImage & { readonly Size: number; readonly SharedSize: number })[];
        readonly Containers: readonly (ListedContainer & { readonly Command: string })[];
      };
      const image = usage.Images.find(({ RepoTags }) => RepoTags?.includes(`${imageName(org1)}:latest`));
      expect(image?.Size).toBeGreaterThan(0);
      expect(image?.SharedSize).toBeGreaterThanOrEqual(0);
      const container = usage.Containers.find(({ Names }) => Names.includes(`/${containerName(org1)}`));
      expect(container).toMatchObject({ State: "running", Command: expect.stringContaining("start") as string });
    });

    test("is started again after its container was killed", async () => {
      const before = await running();
      expect(before?.State).toBe("running");
      await api("POST", `/containers/${containerName(org1)}/kill`);
      // It has found its TLS files there. The runner shows no files of a container that runs.
      const files = await filesIn("/etc/hyperledger/fabric");
      expect([...files.keys()].sort((a, b) => (a < b ? -1 : 1))).toEqual([
        "client.crt",
        "client.key",
        "client_pem.crt",
        "client_pem.key",
        "peer.crt",
      ]);
      expect(files.get("peer.crt")).toContain("-----BEGIN CERTIFICATE-----");
      const answer = await eventually("an answer", async () => {
        const found = await read();
        return found[0] === 200 ? found : undefined;
      });
      expect(answer[1]).toBe("[]");
      const after = await running();
      expect(after?.State).toBe("running");
      expect(after?.Id).toMatch(/^[0-9a-f]{64}$/);
      expect(after?.Id).not.toBe(before?.Id);
    });

    test("is started by its peer, which nobody has called since it was started itself", async () => {
      await org1.process.stop();
      const before = await running();
      await org1.process.start();
      const now = await eventually("another container", async () => {
        const found = await running();
        return found?.State === "running" && found.Id !== before?.Id ? found : undefined;
      });
      expect(now.Names).toEqual([`/${containerName(org1)}`]);
    });

    test("is stopped by its peer when the channel runs another, which is started, without a call", async () => {
      const next = await assetTransfer("assets_2.0");
      for (const node of [org1, org2]) {
        await api("POST", `/images/${imageName(org2)}/tag?repo=${imageName(node, next)}&tag=latest`);
      }
      expect((await running(org2))?.State).toBe("running");
      await deployPackage(network, { name: "assets", version: "2.0", sequence: 2 }, next.bytes, next.id);
      for (const node of [org1, org2]) {
        const states = async () => [(await running(node))?.State, (await running(node, next))?.State];
        await expect.poll(states, { timeout: 60_000 }).toEqual([undefined, "running"]);
      }
      chaincode = next;
    });

    test("cannot be started when its image has vanished", async () => {
      await api("DELETE", `/containers/${containerName(org1)}?force=1`);
      await api("DELETE", `/images/${imageName(org1)}?force=1`);
      const answer = await eventually("the end of the old container", async () => {
        const found = await read();
        return found[0] === 200 ? undefined : found;
      });
      expect(answer[0]).toBe(500);
      expect(answer[1]).toContain(
        `could not launch chaincode ${chaincode.id}: error starting container: error starting container: Error response from daemon: No such image: ${imageName(org1)}`,
      );
    });

    test("counts for a peer's health", async () => {
      expect((await fetch(`${org1.operations}/healthz`)).status).toBe(200);
    });
  });
});
