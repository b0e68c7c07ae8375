import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { newEnvironment } from "../../emulator/environment.ts";
import { Faults } from "../../emulator/faults.ts";
import { Metrics } from "../../emulator/metrics.ts";
import { ChaincodeLauncher } from "../../emulator/peer/chaincode/launcher.ts";
import type { PeerConnection, Runtime } from "../../emulator/peer/chaincode/runtime.ts";
import { newChaincodeService } from "../../emulator/peer/chaincode/service.ts";
import { freePorts } from "../free-ports.ts";

const packageId = "assets_1.0:0123";
let directory: string;
let child: ChildProcess | undefined;
let stopServing: () => void;
let launcher: ChaincodeLauncher;
const faults = new Faults();

/** A process with the files and variables that a chaincode container gets. */
function processRuntime(exitAtOnce: () => boolean): Runtime {
  const start = async ({ address, tls }: PeerConnection): Promise<void> => {
    if (tls === undefined) {
      throw new Error("expected TLS");
    }
    const file = async (name: string, content: string): Promise<string> => {
      await writeFile(join(directory, name), content);
      return join(directory, name);
    };
    const environment = {
      PATH: process.env["PATH"] ?? "",
      CORE_CHAINCODE_ID_NAME: packageId,
      CORE_PEER_TLS_ENABLED: "true",
      CORE_TLS_CLIENT_KEY_PATH: await file("client.key", Buffer.from(tls.clientKey).toString("base64")),
      CORE_TLS_CLIENT_CERT_PATH: await file("client.crt", Buffer.from(tls.clientCertificate).toString("base64")),
      CORE_PEER_TLS_ROOTCERT_FILE: await file("peer.crt", tls.rootCertificate),
      CORE_PEER_LOCALMSPID: "Org1MSP",
    };
    const program = join(import.meta.dirname, "asset-chaincode.ts");
    const args = exitAtOnce() ? ["-e", "process.exit(7)"] : [program, "--peer.address", address];
    child = spawn(process.execPath, args, { env: environment, stdio: "ignore" });
  };
  return {
    build: async () => ({
      kind: "container",
      start,
      stop: async () => void child?.kill(),
      wait: async () => {
        const [code] = (await once(child as ChildProcess, "exit")) as [number];
        return code;
      },
    }),
  };
}

let exitAtOnce = false;

beforeEach(async () => {
  exitAtOnce = false;
  directory = await mkdtemp(join(tmpdir(), "dialling-"));
  const [port = 0] = await freePorts(1);
  const variables = {
    CORE_PEER_TLS_ENABLED: "true",
    CORE_PEER_CHAINCODEADDRESS: `localhost:${port}`,
    CORE_PEER_CHAINCODELISTENADDRESS: `0.0.0.0:${port}`,
  };
  const service = await newChaincodeService(newEnvironment("CORE", variables, new Map()));
  launcher = new ChaincodeLauncher({
    runtimes: [processRuntime(() => exitAtOnce)],
    readPackage: async () => ({
      packageId,
      label: "assets_1.0",
      type: "node",
      path: "",
      metadata: Buffer.alloc(0),
      code: Buffer.alloc(0),
    }),
    newConnection: () => service.newConnection(),
    startupTimeoutMilliseconds: 20_000,
    metrics: new Metrics(),
    faults,
    log: () => undefined,
  });
  stopServing = await service.serve(launcher);
});

afterEach(async () => {
  await launcher.shutdown();
  stopServing();
  await rm(directory, { recursive: true });
});

test("registers over TLS at the name that it is given, and is started again when it has ended", async () => {
  expect((await launcher.launch(packageId)).chaincodeId).toBe(packageId);
  const first = child as ChildProcess;
  first.kill();
  // Until the end of its stream has arrived the peer goes on with it.
  const next = async () => ({ id: (await launcher.launch(packageId)).chaincodeId, again: child !== first });
  await expect.poll(next, { timeout: 20_000 }).toEqual({ id: packageId, again: true });
});

test("is reported with its exit code when it ends before it registers", async () => {
  exitAtOnce = true;
  await expect(launcher.launch(packageId)).rejects.toThrow(
    `could not launch chaincode ${packageId}: chaincode registration failed: container exited with 7`,
  );
});

test("is reported when its image has vanished", async () => {
  faults.set({ vanishedImage: true });
  await expect(launcher.launch(packageId)).rejects.toThrow(
    "error starting container: error starting container: Error response from daemon: No such image",
  );
  faults.set({ vanishedImage: false });
});
