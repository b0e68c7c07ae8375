import { execFileSync } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { packageChaincodeFolder } from "../../core/fabric/package/chaincode-source.ts";
import { idleScript } from "../../core/injection/idle.ts";
import { deployPackage, joinAll } from "../integration/emulator/network/actions.ts";
import { propose } from "../integration/emulator/network/client.ts";
import { channelId, eventually, type Network, type PeerNode } from "../integration/emulator/network/network.ts";
import { newProcess, type NodeProcess } from "../integration/emulator/network/processes.ts";
import { compareAnswers } from "./answers/recording.ts";
import { assetFolder, assetTransfer } from "./chaincode.ts";
import { columns, startColumn } from "./column.ts";
import { noDocker, startDocker, type DockerDaemon } from "./docker.ts";

/** Seconds without a call until a container is stopped, and between two looks. */
const idle = 3;
const every = 1;

describe.each(columns)("$name", (column) => {
  const missing = column.missing ?? noDocker;
  let network: Network;
  let daemon: DockerDaemon;
  let org1: PeerNode;
  let packageId: string;
  let script: NodeProcess | undefined;
  let between: Between;

  compareAnswers(column, () => network);

  beforeAll(async () => {
    if (missing !== undefined) return;
    await assetTransfer("assets"); // its dependencies
    daemon = await startDocker();
    network = await startColumn(column, "docker", {
      CORE_VM_ENDPOINT: daemon.endpoint,
      CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE: "host",
      CORE_METRICS_PROVIDER: "prometheus",
    });
    [org1] = network.peers as [PeerNode];
    between = await newBetween(`${org1.operations}/metrics`);
    await joinAll(network);
    const pkg = await packageChaincodeFolder(slowChaincode(network.directory), "assets");
    packageId = pkg.id;
    await deployPackage(network, { name: "assets", version: "1.0", sequence: 1 }, pkg.bytes, pkg.id);
  });

  afterEach(async () => {
    await script?.stop();
    script = undefined;
  });

  afterAll(async () => {
    await between?.stop();
    await network?.stop();
    await daemon?.stop();
  });

  const call = async (...args: readonly string[]): Promise<readonly [number, string]> => {
    const answer = await propose(org1, { chaincode: "assets", channelId, args });
    const response = answer.getResponse();
    return [response?.getStatus() ?? 0, response?.getMessage() ?? ""];
  };
  const read = () => call("ListAssets", "", "");
  /** "running", "paused" or "exited": the first peer's container. */
  const state = () =>
    daemon.docker("inspect", "--format", "{{.State.Status}}", `dev-peer0.Org1MSP-${packageId.replace(":", "-")}`);
  /** So many looks at the metrics have begun from now on. */
  const looked = (times: number) => {
    const until = between.looks() + times;
    return eventually("looks at the metrics", () => (between.looks() >= until ? true : undefined));
  };
  const becomes = (wanted: string) =>
    eventually(`a container that is ${wanted}`, async () => ((await state()) === wanted ? true : undefined));
  /** It says so after it has done so. */
  const says = async (line: RegExp) => {
    await expect.poll(() => script?.output(), { timeout: 20_000 }).toMatch(line);
  };
  const started = async (): Promise<NodeProcess> => {
    const command = ["/bin/sh", "-c", idleScript, "idle", String(idle), String(every), `${between.url}/metrics`];
    script = newProcess(command, { DOCKER_HOST: daemon.endpoint, PATH: daemon.path }, /stop/);
    await script.start();
    return script;
  };

  describe.skipIf(missing)("chaincode on demand", () => {
    test("is stopped when nobody has called it for a while, and started by the next call", async () => {
      expect((await read())[0]).toBe(200);
      expect((await started()).output()).toBe(`stops chaincode after ${idle} s without a call\n`);
      await becomes("exited");
      await says(new RegExp(`^stopped ${packageId} after \\d+ s without a call$`, "m"));
      expect((await read())[0]).toBe(200);
      expect(await state()).toBe("running");
    });

    test("is not stopped while it is called now and then", async () => {
      await read();
      const guard = await started();
      for (let call = 0; call < (2.5 * idle) / every; call++) {
        await looked(1);
        expect((await read())[0]).toBe(200);
      }
      // Its state says nothing: a call starts what was stopped.
      expect(guard.output()).not.toMatch(/^stopped/m);
      await becomes("exited");
    });

    test("is not stopped while one long call is under way, of which its state tells nothing", async () => {
      await read();
      const guard = await started();
      const waiting = call("Wait", `${between.url}/wait`);
      // More than there are before it is to be stopped, and the three while it is paused.
      await looked((2 * idle) / every + 3);
      expect(guard.output()).not.toMatch(/^stopped/m);
      between.answer();
      expect(await waiting).toEqual([200, ""]);
      await becomes("exited");
    });

    test("is not stopped where the metrics cannot be read, until they can", async () => {
      await read();
      between.hide(true);
      await started();
      await says(/expected the peer's metrics at/);
      await looked((2 * idle) / every);
      expect(await state()).toBe("running");
      between.hide(false);
      await becomes("exited");
    });

    test("goes on when its guard was killed while it was paused", async () => {
      await read();
      await daemon.docker("pause", `dev-peer0.Org1MSP-${packageId.replace(":", "-")}`);
      await started();
      await becomes("running");
      expect((await read())[0]).toBe(200);
    });

    test("alone is stopped: no other container is", async () => {
      const image = `dev-peer0.Org1MSP-${packageId.replace(":", "-")}`.toLowerCase();
      const images = (await daemon.docker("images", "--format", "{{.Repository}}")).split("\n");
      const of = images.find((name) => name.startsWith(image)) ?? "";
      await daemon.docker("run", "--detach", "--network", "host", "--name", "bystander", of, "sleep", "300");
      await read();
      await started();
      await becomes("exited");
      expect(await daemon.docker("inspect", "--format", "{{.State.Status}}", "bystander")).toBe("running");
    });
  });
});

/** Stands between the script and a peer's metrics, and holds a call for as long as a test wants. */
interface Between {
  readonly url: string;
  /** How often the metrics have been asked for. */
  looks(): number;
  /** Whether there are none. */
  hide(hidden: boolean): void;
  /** Ends what waits. */
  answer(): void;
  stop(): Promise<void>;
}

async function newBetween(metrics: string): Promise<Between> {
  let looks = 0;
  let hidden = false;
  let waiting: ServerResponse[] = [];
  const pass = async (response: ServerResponse): Promise<void> => {
    const answer = await fetch(metrics);
    response.writeHead(answer.status).end(await answer.text());
  };
  const server = createServer((request, response) => {
    if (request.url === "/wait") return void waiting.push(response);
    looks++;
    if (hidden) response.writeHead(404).end();
    else pass(response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    looks: () => looks,
    hide: (value) => (hidden = value),
    answer: () => {
      for (const response of waiting) response.end();
      waiting = [];
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}

/** The sample with one function more, which waits for an answer and asks the peer for nothing. */
function slowChaincode(directory: string): string {
  const folder = join(directory, "slow-chaincode");
  cpSync(assetFolder, folder, { recursive: true });
  const file = join(folder, "lib/asset-transfer.js");
  const source = readFileSync(file, "utf8");
  const wait =
    '\n  async Wait(_context, url) {\n    await new Promise((resolve, reject) => {\n      require("http").get(url, resolve).on("error", reject);\n    });\n  }\n';
  writeFileSync(file, source.replace(/(class \w+ extends Contract \{\n)/, `$1${wait}`));
  execFileSync(process.execPath, ["--check", file]);
  return folder;
}
