import { connectCluster, type Cluster } from "../kube/cluster.ts";
import { findNetwork } from "../network/definition.ts";
import { openNetwork as open, type OpenNetwork } from "../network/open-network.ts";
import type { Terminal } from "../terminal/io.ts";
import { noticeOn } from "../terminal/notice.ts";
import type { GlobalOptions } from "./command.ts";

export async function connect({ kubeconfig, context }: GlobalOptions, { env, signal }: Terminal): Promise<Cluster> {
  return connectCluster({ kubeconfig, context, env, signal });
}

/** The network that the command line is about. The caller closes it. */
export async function openNetwork(options: GlobalOptions, terminal: Terminal): Promise<OpenNetwork> {
  const cluster = await connect(options, terminal);
  return open(cluster, await findNetwork(cluster, options.network, noticeOn(terminal), terminal.signal));
}

export const networkOn = open;
