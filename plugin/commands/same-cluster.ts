import { shellWord } from "../../core/chaincode/deployment/deploy-command.ts";

/** How a command line has found its cluster and its network. */
export interface GivenCluster {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly network?: string | undefined;
}

/**
 * What to type next, on the cluster and the network that this command line was about: each `kubectl ...` in the text has the options
 * that were given, save for those that the text names itself. What another administrator is to type goes to their own.
 */
export function onSameCluster(text: string, { kubeconfig, context, network }: GivenCluster): string {
  const options = (given: readonly (readonly [string, string | undefined])[]): string =>
    given
      .flatMap(([option, value]) =>
        value === undefined || text.includes(`${option} ${value}`) ? [] : [` ${option} ${shellWord(value)}`],
      )
      .join("");
  const forKubectl = [
    ["--kubeconfig", kubeconfig],
    ["--context", context],
  ] as const;
  return text.replaceAll(/(?<!types: )\bkubectl( fabric)?(?= [a-z-])/g, (command, plugin: string | undefined) =>
    plugin === undefined
      ? `${command}${options(forKubectl)}`
      : // Kubectl itself takes no options before the name of a plugin.
        `${command}${options([...forKubectl, ["--network", network]])}`,
  );
}
