// Measurements on this machine: npm run bench -- --help. Nothing is asserted.
import { chmod } from "node:fs/promises";
import { InvalidArgumentError, Option, type Command } from "commander";
import { FabricError, messageOf } from "../../core/error.ts";
import { newLifetime, temporaryFolder, type Lifetime } from "../../build/lifetime.ts";
import { runScript, scriptCommand } from "../../build/script.ts";
import type { Settings } from "./measure.ts";
import { parts, type Part } from "./parts.ts";

const examples = `
Examples:
  npm run bench -- startup                            how long the plugin takes to start
  npm run bench -- startup --runs 5                   in less time
  npm run bench -- webhook --requests 0 --soak 0      only what a start of the webhook takes
  npm run bench -- runner seed                        two parts, one after the other
  npm run bench                                       all of them

runner, runtimes and seed need Linux and root. They start real Docker daemons, which are built of Go modules the first time (10 minutes
more), and real peers where FABRIC_HOME or /opt/hyperledger-fabric has a release of Fabric, else the project's emulator.
webhook needs Go. Everything that a part starts ends with it, also on Ctrl-C.`;

const width = Math.max(...parts.map(({ name }) => name.length));
const partsText = parts.map(({ name, what, takes }) => `  ${name.padEnd(width)}  ${what} (${takes})`).join("\n");

/** Options, with the parts that they are of. */
const partOf: Readonly<Record<keyof Settings, string>> = {
  runs: "startup",
  requests: "webhook",
  rounds: "webhook",
  soak: "webhook",
  starts: "webhook",
  output: "webhook",
};

function benchCommand(lifetime: Lifetime): Command {
  const command = scriptCommand("npm run bench --");
  return command
    .description("Measures parts of the project on this machine, and prints figures. Nothing is asserted.")
    .argument("[part...]", "what to measure; all parts unless told", knownPart)
    .addOption(count("--runs <n>", "of startup: how often each program is started", 15, 1))
    .addOption(count("--starts <n>", "of webhook: starts of each server", 9, 1))
    .addOption(count("--requests <n>", "of webhook: reviews in each round; 0 for no load", 20_000, 0))
    .addOption(count("--rounds <n>", "of webhook: rounds of load", 3, 1))
    .addOption(count("--soak <n>", "of webhook: reviews before memory is looked at; 0 for none", 200_000, 0))
    .addOption(
      new Option("-o, --output <format>", "of webhook: form of the result").choices(["table", "json"]).default("table"),
    )
    .addHelpText("after", `\nParts, with about the time that each takes:\n${partsText}\n${examples}`)
    .action(async (names: readonly string[], settings: Settings) => {
      const asked = names.length > 0 ? parts.filter(({ name }) => names.includes(name)) : parts;
      refuseStrangers(command, asked);
      await measure(lifetime, asked, settings);
    });
}

function knownPart(name: string, before: readonly string[] | undefined): readonly string[] {
  if (!parts.some((part) => part.name === name)) {
    throw new InvalidArgumentError(`Expected one of ${parts.map((part) => part.name).join(", ")}.`);
  }
  return [...(before ?? []), name];
}

function count(flags: string, description: string, usual: number, least: number): Option {
  return new Option(flags, description).default(usual).argParser((text) => {
    if (/^\d{1,9}$/.test(text) && Number(text) >= least) return Number(text);
    throw new InvalidArgumentError(`Expected a whole number, ${least} or more.`);
  });
}

/** An option of a part that is not asked for is a mistake. */
function refuseStrangers(command: Command, asked: readonly Part[]): void {
  for (const [option, name] of Object.entries(partOf)) {
    if (command.getOptionValueSource(option) !== "cli" || asked.some((part) => part.name === name)) continue;
    command.error(`error: --${option} is an option of ${name}, which is not asked for`);
  }
}

/** All that is written is in one folder: who ends this at once can find it. */
let folder: string | undefined;

async function measure(lifetime: Lifetime, asked: readonly Part[], settings: Settings): Promise<void> {
  folder = await temporaryFolder(lifetime, "bench-");
  // The runner is an ordinary user.
  await chmod(folder, 0o755);
  process.env["TMPDIR"] = folder;
  if (asked.some(({ ofBuild }) => ofBuild)) {
    const { build } = await import("../../build/main.ts");
    await build(lifetime);
  }
  const failed: string[] = [];
  for (const part of asked) {
    console.error(`\n## ${part.name}`);
    try {
      await measurePart(lifetime.signal, part, settings);
    } catch (error) {
      lifetime.signal.throwIfAborted();
      // The others are worth their time all the same.
      console.error(`error: ${part.name}: ${messageOf(error)}`);
      failed.push(part.name);
    }
  }
  if (failed.length > 0)
    throw new FabricError("internal", `expected figures of every part, found none of ${failed.join(", ")}`);
}

async function measurePart(signal: AbortSignal, { load }: Part, settings: Settings): Promise<void> {
  const part = await load();
  await using lifetime = newLifetime(signal);
  await lifetime.unlessStopped(part.measure(lifetime, settings));
}

/** After an end at once. Children of a shim are the processes in its container; chaincode of the runner is in a group with its shell. */
function leftovers(): string {
  if (folder === undefined) return "Nothing had been started.";
  return `There may be left processes, mounts and files of ${folder}. This removes them:
  for p in $(pgrep -f ${folder}); do pkill -9 -P $p; pkill -9 -g $(ps -o pgid= -p $p); done
  awk '$2 ~ "^${folder}/" {print $2}' /proc/mounts | sort -r | xargs -r umount -l
  rm -rf ${folder}`;
}

await runScript({ command: benchCommand, leftovers });
