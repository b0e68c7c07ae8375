import { execFile, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newSeeding } from "../../core/chaincode/seed/seeding.ts";
import { packChaincode, type ChaincodePackage } from "../../core/fabric/package/chaincode-package.ts";
import { packageChaincodeFolder } from "../../core/fabric/package/chaincode-source.ts";
import { deployPackage, install, joinAll, withContract } from "../integration/emulator/network/actions.ts";
import type { Network, PeerNode } from "../integration/emulator/network/network.ts";
import { callApi, noRunner, startRunner, type TestRunner } from "../integration/runner/runner-process.ts";
import { listProcesses } from "../sandbox/processes.ts";
import { compareAnswers } from "./answers/recording.ts";
import { assetTransfer } from "./chaincode.ts";
import { dockerPeer } from "./docker-peer.ts";
import { columns, startColumn } from "./column.ts";

const utf8 = new TextDecoder();
const counterFolder = join(import.meta.dirname, "../chaincode/counter");

/** Where the runner's toolchain for Go looks for it; Fabric has it link by the C compiler (core/chaincode/platforms/golang/platform.go). */
const noGo =
  existsSync("/usr/local/go/bin/go") && existsSync("/usr/bin/gcc") ? undefined : "expected /usr/local/go and gcc";

/** Chaincode in Go, whose modules are vendored: peers build it without a network. */
async function counter(label: string): Promise<ChaincodePackage> {
  const folder = await mkdtemp(join(tmpdir(), "counter-"));
  try {
    await cp(counterFolder, folder, { recursive: true });
    await promisify(execFile)("/usr/local/go/bin/go", ["mod", "vendor"], { cwd: folder });
    return await packageChaincodeFolder(folder, label);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const javaFolder = join(import.meta.dirname, "../chaincode/counter-java");
const ofMaven = (path: string) => existsSync(join(homedir(), ".m2/repository", path));

/** Tests do not fill Maven's repository: it would be a hundred megabytes. */
function whyNoJava(): string | undefined {
  if (spawnSync("javac", ["-version"]).error ?? spawnSync("mvn", ["--version"]).error) return "expected javac and mvn";
  const there =
    ofMaven("org/hyperledger/fabric-chaincode-java/fabric-chaincode-shim/2.5.8/fabric-chaincode-shim-2.5.8.jar") &&
    ofMaven("org/apache/maven/plugins/maven-shade-plugin/3.5.3/maven-shade-plugin-3.5.3.jar");
  return there
    ? undefined
    : 'expected the shim for Java in ~/.m2: run "mvn package" in a copy of test/chaincode/counter-java';
}

let jar: Promise<Buffer> | undefined;

/** Chaincode in Java as one jar, which needs no build and so no network at the peer. */
async function counterJar(label: string): Promise<ChaincodePackage> {
  jar ??= buildJar();
  return packChaincode({ path: "", type: "java", label }, [{ name: "src/counter.jar", content: await jar }]);
}

async function buildJar(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), "counter-java-"));
  try {
    await cp(javaFolder, folder, { recursive: true });
    await promisify(execFile)("mvn", ["--offline", "--quiet", "--batch-mode", "package"], { cwd: folder });
    return await readFile(join(folder, "target/chaincode.jar"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe.each(columns)("$name", (column) => {
  const missing = column.missing ?? noRunner ?? noGo;
  let runner: TestRunner;
  let network: Network;
  let node: PeerNode;

  compareAnswers(column, () => network);

  beforeAll(async () => {
    if (missing !== undefined) return;
    runner = await startRunner();
    const settings = {
      CORE_VM_ENDPOINT: runner.endpoint,
      CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE: "host",
      CORE_CHAINCODE_INSTALLTIMEOUT: "600s",
    };
    network = await startColumn(column, "docker", settings, ["Org1MSP"]);
    [node] = network.peers as readonly [PeerNode];
    await joinAll(network);
  });

  afterAll(async () => {
    await network?.stop();
    await runner?.stop();
  });

  const call = (name: string, how: "evaluate" | "submit", ...words: readonly string[]): Promise<string> => {
    const [transaction = "", ...args] = words;
    const options = { arguments: args, endorsingOrganizations: ["Org1MSP"] };
    return withContract(node, name, async (contract) => utf8.decode(await contract[how](transaction, options)));
  };
  const running = async (): Promise<readonly string[]> => {
    const containers = (await callApi(runner.socket, "GET", "/containers/json")).json() as readonly {
      readonly Names: readonly string[];
    }[];
    return containers.flatMap(({ Names }) => Names).map((name) => name.replace(/^.*Org1MSP-(\w+)\..*$/, "$1"));
  };

  // Go compiles its own library, too: a minute of two processors.
  const unhurried = { timeout: 400_000 };

  describe.skipIf(missing)("chaincode of two languages in one runner", () => {
    test(
      "is built by the peer, from Go without a network and from JavaScript, and runs side by side",
      unhurried,
      async () => {
        for (const [name, pkg] of [
          ["counter", await counter("counter_1.0")],
          ["assets", await assetTransfer("assets_1.0")],
        ] as const) {
          const answer = await install(node, pkg.bytes);
          expect([name, answer.getStatus(), answer.getMessage()]).toEqual([name, 200, ""]);
          await deployPackage(network, { name, version: "1.0", sequence: 1 }, pkg.bytes, pkg.id);
        }
        expect(await call("counter", "submit", "Add")).toBe("1");
        expect(await call("counter", "submit", "Add")).toBe("2");
        expect(await call("counter", "evaluate", "Get")).toBe("2");
        await expect(call("counter", "evaluate", "Divide")).rejects.toThrow(/expected Add or Get, found Divide/);
        expect(await call("assets", "evaluate", "ListAssets", "", "")).toBe("[]");
        expect([...(await running())].sort()).toEqual(["assets_1", "counter_1"]);
      },
    );

    test(
      "is taken from a jar in Java, and is bound by the memory that its container may have",
      unhurried,
      async (context) => {
        const noJava = whyNoJava();
        context.skip(noJava !== undefined, noJava);
        const pkg = await counterJar("jar_1.0");
        const answer = await install(node, pkg.bytes);
        expect([answer.getStatus(), answer.getMessage()]).toEqual([200, ""]);
        await deployPackage(network, { name: "jar", version: "1.0", sequence: 1 }, pkg.bytes, pkg.id);
        expect(await call("jar", "submit", "Add")).toBe("1");
        expect(await call("jar", "submit", "Add")).toBe("2");
        expect(await call("jar", "evaluate", "Get")).toBe("2");
        await expect(call("jar", "evaluate", "Divide")).rejects.toThrow(/evaluate call to endorser/);
        const java = listProcesses().filter(
          ({ argv }) => argv[0] === "java" && argv.some((word) => word.includes(runner.state)),
        );
        expect(java).toHaveLength(1);
        // Else it would take a quarter of the node's: there are no groups of processes that it could ask.
        expect(readFileSync(`/proc/${java[0]?.pid}/environ`, "utf8")).toContain("-XX:MaxRAM=");
      },
    );

    test("is composed by the plugin where nothing has to be compiled: the peer builds nothing", unhurried, async () => {
      const builds = () => [...runner.process.output().matchAll(/"message":"started","kind":"build"/g)].length;
      const before = builds();
      const pkg = await assetTransfer("composed_1.0");
      const peer = dockerPeer("peer0", "peer0.Org1MSP", { endpoint: runner.endpoint, environment: {} });
      const seeding = newSeeding({ id: pkg.id, load: () => Promise.resolve(pkg) }, [peer]);
      const context = { signal: new AbortController().signal, progress: () => {} };
      const never = () => Promise.reject(new Error("it was to be built"));
      expect(await seeding.provide(peer, context, never)).toMatchObject({ how: "composed" });
      await seeding.close();
      await deployPackage(network, { name: "composed", version: "1.0", sequence: 1 }, pkg.bytes, pkg.id);
      expect(await call("composed", "evaluate", "ListAssets", "", "")).toBe("[]");
      expect(builds()).toBe(before);
      expect(before).toBeGreaterThan(0); // as many as two for each: Go downloads and compiles
    });
  });
});
