import type { ChaincodeLogOptions } from "../../../core/chaincode/daily/logs.ts";
import { positiveInteger } from "../arguments.ts";
import { noticeOn } from "../../terminal/notice.ts";
import { optionsOf, printsOnly, type CommandDefinition } from "../command.ts";

interface LogsOptions {
  readonly channel?: string;
  readonly peer?: string;
  readonly follow: boolean;
  readonly tail?: number;
  readonly timestamps: boolean;
}

/** How much of each log is read. */
export function logsRequest({ follow, tail: tailLines, timestamps }: LogsOptions): ChaincodeLogOptions {
  return { follow, tailLines, timestamps };
}

export const chaincodeLogs: CommandDefinition = (group, terminal) => {
  const command = group
    .command("logs")
    .argument("<name>", "name of the chaincode")
    .summary("print what a chaincode writes")
    .description(
      "Prints the log of a chaincode's containers, read through the Docker daemon in each peer's Pod; of a service that of\n" +
        "its Pods. Several at once have the name of their peer or Pod before each line.",
    )
    .option("-C, --channel <name>", "the channel, when it is on several")
    .option("--peer <name>", "only this peer, as peer0.org1")
    .option("-f, --follow", "go on as it writes, also after the peer has started it again", false)
    .option("--tail <lines>", "only the last lines", positiveInteger)
    .option("--timestamps", "the time before each line", false)
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric chaincode logs asset
  kubectl fabric chaincode logs asset -f --tail 20
  kubectl fabric chaincode logs asset --peer peer0.org1`,
    )
    .action(async (name: string) => {
      const options = optionsOf<LogsOptions>(command);
      const [
        { openNetwork },
        { chaincodeState },
        { chaincodeLog, whereabouts },
        { serviceLog },
        { hostOf },
        { visible },
      ] = await Promise.all([
        import("../connect.ts"),
        import("../../../core/chaincode/daily/state.ts"),
        import("../../../core/chaincode/daily/logs.ts"),
        import("../../../core/chaincode/daily/service-log.ts"),
        import("../../../core/network/resources/nodes.ts"),
        import("../../terminal/visible.ts"),
      ]);
      const { signal, stdout } = terminal;
      // A pipe gets the bytes unchanged.
      const shown = (line: string): string => (stdout.isTTY ? visible(line) : line);
      const network = await openNetwork(options, terminal);
      try {
        const state = await chaincodeState(network, { name, channel: options.channel }, signal);
        const { containers, services, leftOut } = whereabouts(network, state, options.peer);
        for (const line of leftOut) noticeOn(terminal)(line);
        const width = Math.max(...containers.map(({ node }) => hostOf(node).length));
        const request = logsRequest(options);
        const alone = containers.length === 1 && services.length === 0;
        const print = async (source: (typeof containers)[number]) => {
          const prefix = alone ? "" : `${hostOf(source.node).padEnd(width)} | `;
          for await (const line of chaincodeLog(network, source, request, signal))
            stdout.write(`${shown(`${prefix}${line}`)}\n`);
        };
        const printPods = ({ service }: (typeof services)[number]) =>
          serviceLog(
            network.cluster,
            service,
            request,
            (pod, line) => void stdout.write(`${shown(`${service.namespace}/${pod} | ${line}`)}\n`),
            signal,
          );
        await Promise.all([...containers.map(print), ...services.map(printPods)]);
      } finally {
        await network.close();
      }
    });
  // Lines as they come are no result.
  printsOnly(command, ["table"]);
};
