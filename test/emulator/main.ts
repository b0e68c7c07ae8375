import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parse } from "yaml";
import { flatten, newEnvironment, type Environment } from "./environment.ts";
import { messageOf } from "./log.ts";

/** What the emulator gives as its version: clients choose by it, for instance the tags of chaincode images. */
const version = process.env["EMULATOR_FABRIC_VERSION"] ?? "v3.1.5";

const notice = `This is an emulator of a Hyperledger Fabric %s for tests: it keeps no promise of Fabric's. Not for production.`;

/** `peer node start`, `peer version`, `orderer`, `orderer start`, `orderer version`, named by argv[0] or by the first argument. */
async function main(argv: readonly string[]): Promise<void> {
  const [program, ...rest] = argv;
  const name = basename(program ?? "").replace(/\.[a-z]+$/, "");
  const known = name === "peer" || name === "orderer";
  const [role, args] = known ? [name, rest] : [rest[0] ?? "", rest.slice(1)];
  const command = [role, ...args].join(" ");
  switch (command) {
    case "peer version":
    case "orderer version":
      process.stdout.write(versionText(role));
      return;
    case "peer node start":
      return run(role, "CORE", "core.yaml", async (environment) => {
        const { startPeer } = await import("./peer/peer.ts");
        return startPeer(environment, version);
      });
    case "orderer":
    case "orderer start":
      return run(role, "ORDERER", "orderer.yaml", async (environment) => {
        const { startOrderer } = await import("./orderer/orderer.ts");
        return startOrderer(environment, version);
      });
    default:
      throw new Error(`expected peer node start, orderer or version, found ${command}`);
  }
}

type Start = (environment: Environment) => Promise<() => Promise<void>>;

async function run(role: string, prefix: string, file: string, start: Start): Promise<void> {
  process.stderr.write(`${notice.replace("%s", role)}\n`);
  const path = join(process.env["FABRIC_CFG_PATH"] ?? "/etc/hyperledger/fabric", file);
  const settings = existsSync(path) ? flatten(parse(readFileSync(path, "utf8"))) : new Map<string, string>();
  const stop = await start(newEnvironment(prefix, process.env, settings));
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => void stop().finally(end));
  }
}

/**
 * By itself, as soon as nothing is open any more: process.exit() may wait for ever for what V8 compiles at that moment
 * (nodejs/node#54918, seen with Node 26). What is still open after a while is left.
 */
function end(): void {
  setTimeout(() => process.exit(), 1000).unref();
}

function versionText(role: string): string {
  return `${role}:\n Version: ${version}\n Commit SHA: emulator\n Go version: none\n OS/Arch: ${process.platform}/${process.arch}\n`;
}

main(process.argv.slice(1)).catch((error: unknown) => {
  process.stderr.write(`Error: ${messageOf(error)}\n`);
  process.exitCode = 1;
  end();
});
