import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { messageOf, type Log } from "../../log.ts";
import { regularFiles, type ChaincodePackage } from "../lifecycle/package-store.ts";
import { parseConnection } from "./ccaas.ts";
import type { ChaincodeInstance, PeerConnection, Runtime } from "./runtime.ts";

/** One of chaincode.externalBuilders in core.yaml. */
export interface BuilderConfig {
  readonly name: string;
  readonly path: string;
  readonly propagateEnvironment?: readonly string[];
}

const run = promisify(execFile);
const alwaysPropagated = ["LD_LIBRARY_PATH", "LIBPATH", "PATH", "TMPDIR"];

/** Programs of an operator that build and run chaincode: detect, build, release, run (core/container/externalbuilder). `directory` keeps what they built. */
export function newExternalBuilder(config: BuilderConfig, directory: string, mspId: string, log: Log): Runtime {
  const environment = environmentOf(config);
  const call = async (program: string, ...args: readonly string[]): Promise<void> => {
    try {
      await run(join(config.path, "bin", program), [...args], { env: environment });
    } catch (error) {
      throw new Error(`external builder failed: external builder '${config.name}' failed: ${exitOf(error)}`, {
        cause: error,
      });
    }
  };
  return {
    build: async (chaincode) => {
      const home = join(directory, chaincode.packageId.replace(/[^a-zA-Z0-9_.-]/g, "-"));
      if (!existsSync(home)) {
        const building = `${home}.building`;
        await rm(building, { recursive: true, force: true });
        await unpack(chaincode, building);
        const [source, metadata, output, release] = ["src", "metadata", "bld", "release"].map((name) =>
          join(building, name),
        ) as [string, string, string, string];
        const detected = await call("detect", source, metadata).then(
          () => true,
          () => false,
        );
        if (!detected) {
          await rm(building, { recursive: true });
          return undefined;
        }
        await call("build", source, metadata, output);
        if (existsSync(join(config.path, "bin", "release"))) {
          await call("release", output, release);
        }
        await rename(building, home);
      }
      return instanceOf(config, home, chaincode, mspId, environment, log);
    },
  };
}

async function unpack(chaincode: ChaincodePackage, home: string): Promise<void> {
  for (const name of ["src", "metadata", "bld", "release"]) {
    await mkdir(join(home, name), { recursive: true });
  }
  const { type, path, label } = chaincode;
  await writeFile(join(home, "metadata", "metadata.json"), JSON.stringify({ path, type, label }));
  for (const [name, content] of await regularFiles(gunzipSync(chaincode.code))) {
    const file = join(home, "src", name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }
}

async function instanceOf(
  config: BuilderConfig,
  home: string,
  chaincode: ChaincodePackage,
  mspId: string,
  environment: NodeJS.ProcessEnv,
  log: Log,
): Promise<ChaincodeInstance> {
  const connection = join(home, "release", "chaincode", "server", "connection.json");
  if (existsSync(connection)) {
    return { kind: "server", server: parseConnection(await readFile(connection, "utf8"), {}) };
  }
  const program = join(config.path, "bin", "run");
  let child: ChildProcess | undefined;
  return {
    kind: "container",
    start: async (peer) => {
      const directory = join(home, "run");
      await mkdir(directory, { recursive: true });
      await writeFile(join(directory, "chaincode.json"), JSON.stringify(runMetadata(chaincode, peer, mspId)));
      child = spawn(program, [join(home, "bld"), directory], { env: environment, stdio: "ignore" });
      child.on("error", (error) => log(`${program}: ${messageOf(error)}`));
    },
    stop: async () => void child?.kill(),
    wait: async () => {
      const [code] = child === undefined ? [0] : ((await once(child, "exit")) as [number | null]);
      return code ?? -1;
    },
  };
}

function runMetadata({ packageId }: ChaincodePackage, { address, tls }: PeerConnection, mspId: string): object {
  return {
    chaincode_id: packageId,
    peer_address: address,
    client_cert: tls?.clientCertificate ?? "",
    client_key: tls?.clientKey ?? "",
    root_cert: tls?.rootCertificate ?? "",
    mspid: mspId,
  };
}

function environmentOf({ propagateEnvironment = [] }: BuilderConfig): NodeJS.ProcessEnv {
  const names = [...alwaysPropagated, ...propagateEnvironment];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

function exitOf(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  return typeof code === "number" ? `exit status ${code}` : messageOf(error);
}
