import { Option, type Command } from "commander";
import { refuseEmpty, refuseForeign, type CommandDefinition } from "./commands/command.ts";
import { cleanup } from "./commands/cleanup.ts";
import { chaincode } from "./commands/chaincode.ts";
import { deployCc } from "./commands/deploy-cc.ts";
import { doctor } from "./commands/doctor.ts";
import { down } from "./commands/down.ts";
import { eject } from "./commands/eject.ts";
import { init } from "./commands/init.ts";
import { inject } from "./commands/inject.ts";
import { invoke } from "./commands/invoke.ts";
import { join } from "./commands/join.ts";
import { query } from "./commands/query.ts";
import { status } from "./commands/status.ts";
import { up } from "./commands/up.ts";
import { webhook } from "./commands/webhook.ts";
import { newFittedProgram } from "./terminal/help.ts";
import type { Terminal } from "./terminal/io.ts";
import { outputFormats } from "./terminal/output.ts";
import { version } from "../core/process/version.ts";

/** In the order of `--help`: that in which they are used. */
const commands: readonly CommandDefinition[] = [
  up,
  doctor,
  webhook,
  init,
  join,
  deployCc,
  invoke,
  query,
  chaincode,
  status,
  inject,
  eject,
  cleanup,
  down,
];

/** The command line, without running anything. */
export function newProgram(terminal: Terminal): Command {
  const program = newFittedProgram("kubectl fabric", terminal)
    .description(
      "Hyperledger Fabric on Kubernetes whose chaincode runs inside the peer's own Pod.\n" +
        "Everything goes through the API server: no ingress, no CLI Pod, no Fabric binary on this machine.",
    )
    .version(version, "--version", "print the version")
    .option("--kubeconfig <file>", "kubeconfig to use (default: $KUBECONFIG, then ~/.kube/config)")
    .option("--context <name>", "kubeconfig context to use")
    .option("--network <name>", "the Fabric network, where the cluster has several")
    .addOption(new Option("-o, --output <format>", "form of the result").choices(outputFormats).default("table"))
    .option("-v, --verbose", "also show the steps that had nothing to do", false)
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
      outputError: (text, write) => write(`${text.trimEnd()}\nhint: add --help to see what is possible\n`),
    })
    .exitOverride()
    .hook("preAction", refuseEmpty)
    .hook("preAction", refuseForeign)
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric up --chaincode ./my-chaincode     from an empty cluster to a committed chaincode

  kubectl fabric webhook install                   the same, step by step
  kubectl fabric init
  kubectl fabric join mychannel
  kubectl fabric deploy-cc asset --path ./my-chaincode --channel mychannel
  kubectl fabric invoke asset CreateAsset a1 blue --channel mychannel

Times have a unit: 30s, 5m, 1h or 7d.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not ready, 130 interrupted.`,
    );
  for (const define of commands) define(program, terminal);
  return program;
}
