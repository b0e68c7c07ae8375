import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Metrics } from "../../emulator/metrics.ts";
import { newEngine } from "../../emulator/peer/docker/engine.ts";
import { newDockerRuntime, type DockerSettings } from "../../emulator/peer/docker/runtime.ts";
import { regularFiles, type ChaincodePackage } from "../../emulator/peer/lifecycle/package-store.ts";
import { emptyCode, startFakeDaemon, type FakeDaemon } from "./fake-daemon.ts";

const packageId = "basic_1.0:0123456789abcdef";
const settings: DockerSettings = {
  networkId: "dev",
  peerId: "peer0.org1",
  mspId: "Org1MSP",
  version: "v3.1.5",
  images: { builder: "ccenv", golang: "baseos", node: "nodeenv", java: "javaenv" },
  hostConfig: { NetworkMode: "host" },
  loggingEnvironment: ["CORE_CHAINCODE_LOGGING_LEVEL=info"],
  attachOutput: false,
};
const tls = { clientKey: "key", clientCertificate: "certificate", rootCertificate: "root" };
let daemon: FakeDaemon;

function chaincode(type = "node"): ChaincodePackage {
  return { packageId, label: "basic_1.0", type, path: "pkg", metadata: Buffer.alloc(0), code: emptyCode() };
}

function build(type = "node"): ReturnType<ReturnType<typeof newDockerRuntime>["build"]> {
  return newDockerRuntime(newEngine(daemon.endpoint), settings, new Metrics(), () => undefined).build(chaincode(type));
}

/** Method and path of each call, the image's own name left out. */
function calls(): readonly string[] {
  return daemon.calls.map(({ method, path }) =>
    `${method} ${decodeURIComponent(path)}`.replace(/dev-peer0\.org1-[a-z0-9_.-]{80,}/g, "IMAGE"),
  );
}

beforeEach(async () => {
  daemon = await startFakeDaemon();
});

afterEach(() => daemon.stop());

describe("a chaincode in Docker", () => {
  test("is built in a container of the builder image and then into an image", async () => {
    daemon.images.add("nodeenv");
    await build();
    expect(calls()).toEqual([
      "GET /images/IMAGE/json",
      "GET /images/nodeenv/json",
      "POST /containers/create",
      "PUT /containers/builder/archive?path=/chaincode/input",
      "POST /containers/builder/start",
      "POST /containers/builder/wait",
      "GET /containers/builder/archive?path=/chaincode/output/.",
      "DELETE /containers/builder",
      "POST /build?t=IMAGE&networkmode=host&rm=0",
    ]);
    const context = await regularFiles(gunzipSync(daemon.calls.at(-1)?.body ?? Buffer.alloc(0)));
    expect(String(context.get("Dockerfile"))).toBe(
      [
        "FROM nodeenv",
        "ADD binpackage.tar /usr/local/src",
        'LABEL org.hyperledger.fabric.chaincode.type="NODE" \\',
        '      org.hyperledger.fabric.version="v3.1.5"',
        "ENV CORE_CHAINCODE_BUILDLEVEL=v3.1.5",
      ].join("\n"),
    );
  });

  test("is not built when the image is there", async () => {
    await build();
    const built = daemon.calls.length;
    await build();
    expect(calls().slice(built)).toEqual(["GET /images/IMAGE/json"]);
  });

  test("is pulled for when the builder image is not there", async () => {
    await build();
    expect(calls()[2]).toBe("POST /images/create?fromImage=nodeenv&tag=latest");
  });

  test("starts after what was left of it is gone, with its TLS files", async () => {
    const instance = await build();
    if (instance?.kind !== "container") {
      throw new Error("expected a container");
    }
    const built = daemon.calls.length;
    await instance.start({ address: "localhost:7052", tls });
    const name = "dev-peer0.org1-basic_1.0-0123456789abcdef";
    expect(calls().slice(built)).toEqual([
      `POST /containers/${name}/stop?t=0`,
      `POST /containers/${name}/kill`,
      `DELETE /containers/${name}?force=1`,
      `POST /containers/create?name=${name}`,
      `PUT /containers/${name}/archive?path=/`,
      `POST /containers/${name}/start`,
    ]);
    const created = JSON.parse(String(daemon.calls[built + 3]?.body)) as { readonly Env: readonly string[] };
    expect(created.Env).toEqual([
      `CORE_CHAINCODE_ID_NAME=${packageId}`,
      "CORE_CHAINCODE_LOGGING_LEVEL=info",
      "CORE_PEER_TLS_ENABLED=true",
      "CORE_TLS_CLIENT_KEY_PATH=/etc/hyperledger/fabric/client.key",
      "CORE_TLS_CLIENT_CERT_PATH=/etc/hyperledger/fabric/client.crt",
      "CORE_TLS_CLIENT_KEY_FILE=/etc/hyperledger/fabric/client_pem.key",
      "CORE_TLS_CLIENT_CERT_FILE=/etc/hyperledger/fabric/client_pem.crt",
      "CORE_PEER_TLS_ROOTCERT_FILE=/etc/hyperledger/fabric/peer.crt",
      "CORE_PEER_LOCALMSPID=Org1MSP",
    ]);
    const files = await regularFiles(gunzipSync(daemon.calls[built + 4]?.body ?? Buffer.alloc(0)));
    expect(Buffer.from(String(files.get("/etc/hyperledger/fabric/client.key")), "base64").toString()).toBe("key");
  });

  test("tells the output of a build that failed", async () => {
    await daemon.stop();
    daemon = await startFakeDaemon(1);
    await expect(build()).rejects.toThrow(
      'docker build failed: docker image build failed: docker build failed: Error returned from build: 1 "npm error missing script"',
    );
  });

  test("is refused in a language that Fabric does not build", async () => {
    await expect(build("rust")).rejects.toThrow("Unknown chaincodeType: RUST");
  });
});
