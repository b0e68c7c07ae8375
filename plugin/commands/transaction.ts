import { Option, type Command } from "commander";
import type { TransactionRequest, TransactionResult } from "../../core/chaincode/daily/transact.ts";
import type { TransientSources } from "../../core/chaincode/daily/transient.ts";
import { FabricError } from "../../core/error.ts";
import type { Terminal } from "../terminal/io.ts";
import { visible } from "../terminal/visible.ts";
import { callArguments, collect, duration, list } from "./arguments.ts";
import { optionsOf } from "./command.ts";

interface TransactionOptions {
  readonly channel: string;
  readonly org?: string;
  readonly args?: readonly string[];
  readonly transientFile?: readonly string[];
  readonly transientBase64File?: readonly string[];
  readonly endorsingOrgs?: readonly string[];
  readonly waitEvent?: string;
  readonly init?: boolean;
  /** Seconds. */
  readonly timeout: number;
}

/**
 * The request that the command line makes, without the transient data of its files. Throws `usage` unless the function is named exactly
 * once.
 */
export function transactionRequest(
  [chaincode = "", ...words]: readonly string[],
  options: TransactionOptions,
): TransactionRequest {
  const [name = "", ...parameters] = calledWith(words, options);
  return {
    chaincode,
    function: name,
    arguments: parameters,
    channel: options.channel,
    organization: options.org,
    endorsingOrganizations: options.endorsingOrgs,
    waitEvent: options.waitEvent,
    isInit: options.init,
  };
}

/** The files of transient data; undefined when none are named. */
export function transientSources({
  transientFile: plain,
  transientBase64File: base64,
}: Pick<TransactionOptions, "transientFile" | "transientBase64File">): TransientSources | undefined {
  return plain || base64 ? { plain: plain ?? [], base64: base64 ?? [] } : undefined;
}

/** Arguments and options that `invoke` and `query` have in common. */
export function transactionCommand(command: Command): Command {
  return command
    .argument("<chaincode>", "name of the chaincode")
    .argument("[function]", "name of the function; with its contract when there are several (contract:function)")
    .argument("[argument...]", "the function's arguments")
    .requiredOption("-C, --channel <name>", "the channel")
    .option(
      "--args <json>",
      'function and arguments in JSON instead, as \'{"Args":["ReadAsset","a1"]}\'',
      callArguments,
    )
    .option(
      "--transient-file <file>",
      "transient data: a JSON object of values as they are, or NAME=FILE for one value",
      collect,
    )
    .option(
      "--transient-base64-file <file>",
      "transient data: a JSON object of values in base64, as the peer command takes it",
      collect,
    )
    .option("--org <name>", "the organization whose administrator signs (default: the first that you may read)")
    .addOption(new Option("--timeout <time>", "give up after this time").argParser(duration).default(60, "60s"));
}

/** Options that only a submitted transaction has. */
export function submitOptions(command: Command): Command {
  return command
    .option(
      "--endorsing-orgs <names>",
      "these organizations endorse (default: what the endorsement policy asks for)",
      list,
    )
    .option("--wait-event <name>", "wait for the chaincode's event of this name, and print it")
    .option("--init", "call Init, where the definition asks for it", false);
}

/** Runs a transaction and prints what the chaincode returned: raw for people, within an object and decoded for scripts. */
export async function runTransaction(command: Command, terminal: Terminal, kind: "invoke" | "query"): Promise<void> {
  const options = optionsOf<TransactionOptions>(command);
  const request = transactionRequest(command.args, options);
  const [{ openNetwork }, { transact }, { readTransient }, { printResult }] = await Promise.all([
    import("./connect.ts"),
    import("../../core/chaincode/daily/transact.ts"),
    import("../../core/chaincode/daily/transient.ts"),
    import("../terminal/output.ts"),
  ]);
  const sources = transientSources(options);
  const transient = sources && (await readTransient(sources));
  const network = await openNetwork(options, terminal);
  try {
    const { chaincode, channel } = request;
    const result = await transact(network, kind, { ...request, transient }, options.timeout * 1000, terminal.signal);
    if (options.output === "table") terminal.stdout.write(shownPayload(result.payload, terminal.stdout.isTTY === true));
    await printResult(terminal, options.output, {
      data: { chaincode, channel, ...readable(result) },
      table: () => "", // written before, for it may be bytes
      names: () => (result.transactionId === undefined ? [] : [result.transactionId]),
    });
    if (result.transactionId !== undefined) terminal.stderr.write(`committed: transaction ${result.transactionId}\n`);
    if (result.event)
      terminal.stderr.write(`event: ${visible(`${result.event.name} ${text(result.event.payload)}`)}\n`);
  } finally {
    await network.close();
  }
}

/** Function and arguments. Init alone may be called without a function: what it wants only the chaincode knows. */
function calledWith(
  words: readonly string[],
  { args, init = false }: Pick<TransactionOptions, "args" | "init">,
): readonly string[] {
  if (words.length === 0 && (args === undefined || (args.length === 0 && !init))) {
    throw new FabricError("usage", "expected a function, found none", {
      hint: `name it after the chaincode, or say --args '{"Args":["ReadAsset","a1"]}'`,
    });
  }
  if (args !== undefined && words.length > 0) {
    throw new FabricError("usage", `expected the function as words or with --args, found both (${words[0]})`);
  }
  return args ?? words;
}

/** What the chaincode returned: in a pipe unchanged, with a line end when it is text; on a terminal always visible text. */
export function shownPayload(payload: Uint8Array, onTerminal: boolean): string | Uint8Array {
  if (payload.length === 0) return "";
  if (onTerminal) return `${visible(text(payload))}\n`;
  return isText(payload) ? `${text(payload)}\n` : payload;
}

/** The result for json and yaml: the payload as text, or in base64 when it is no text; decoded, too, when it is JSON. */
function readable({ payload, event, ...rest }: TransactionResult): object {
  const decoded = decodedJson(payload);
  return {
    ...rest,
    ...(isText(payload) ? { payload: text(payload) } : { payloadBase64: Buffer.from(payload).toString("base64") }),
    ...(decoded === undefined ? {} : { decoded }),
    ...(event ? { event: { name: event.name, payload: text(event.payload) } } : {}),
  };
}

function decodedJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(text(payload)) as unknown;
  } catch {
    return undefined;
  }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");
const isText = (bytes: Uint8Array): boolean => Buffer.from(text(bytes)).equals(bytes);
