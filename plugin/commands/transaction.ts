import { Option, type Command } from "commander";
import type { Terminal } from "../terminal/io.ts";
import { duration } from "./arguments.ts";
import { optionsOf } from "./command.ts";

export interface TransactionOptions {
  readonly channel: string;
  readonly org?: string;
  /** Seconds. */
  readonly timeout: number;
}

/** Arguments and options that `invoke` and `query` have in common. */
export function transactionCommand(command: Command): Command {
  return command
    .argument("<chaincode>", "name of the chaincode")
    .argument("<function>", "name of the function; with its contract when there are several (contract:function)")
    .argument("[argument...]", "the function's arguments")
    .requiredOption("-C, --channel <name>", "the channel")
    .option("--org <name>", "the organization whose administrator signs (default: the first that you may read)")
    .addOption(new Option("--timeout <duration>", "give up after this time").argParser(duration).default(60, "60s"));
}

/** Runs a transaction and prints what the chaincode returned: raw for people, within an object for scripts. */
export async function runTransaction(command: Command, terminal: Terminal, kind: "invoke" | "query"): Promise<void> {
  const [chaincode = "", name = "", ...parameters] = command.args;
  const options = optionsOf<TransactionOptions>(command);
  const [{ openNetwork }, { transact }, { printResult }] = await Promise.all([
    import("./connect.ts"),
    import("../chaincode/transact.ts"),
    import("../terminal/output.ts"),
  ]);
  const network = await openNetwork(options, terminal);
  try {
    const request = {
      chaincode,
      function: name,
      arguments: parameters,
      channel: options.channel,
      organization: options.org,
    };
    const result = await transact(network, kind, request, options.timeout * 1000, terminal.signal);
    await printResult(terminal, options.output, {
      data: { chaincode, channel: options.channel, ...result },
      table: () => (result.payload === "" ? "" : `${result.payload}\n`),
      names: () => (result.transactionId === undefined ? [] : [result.transactionId]),
    });
    if (result.transactionId !== undefined) terminal.stderr.write(`committed: transaction ${result.transactionId}\n`);
  } finally {
    await network.close();
  }
}
