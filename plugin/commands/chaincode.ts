import type { CommandDefinition } from "./command.ts";
import { chaincodeInspect } from "./chaincode/inspect.ts";
import { chaincodeList } from "./chaincode/list.ts";
import { chaincodeLogs } from "./chaincode/logs.ts";
import { chaincodePackage } from "./chaincode/package.ts";
import { chaincodeRestart } from "./chaincode/restart.ts";
import { chaincodeSeed } from "./chaincode/seed.ts";

/** In the order of `--help`. */
const commands: readonly CommandDefinition[] = [
  chaincodePackage,
  chaincodeList,
  chaincodeInspect,
  chaincodeLogs,
  chaincodeRestart,
  chaincodeSeed,
];

export const chaincode: CommandDefinition = (program, terminal) => {
  const group = program
    .command("chaincode")
    .summary("package chaincode, look at it, read its logs, restart it, seed it")
    .description("Chaincode on the channels of a network: what is committed, where it runs, what it writes.")
    .helpCommand(false);
  for (const define of commands) define(group, terminal);
};
