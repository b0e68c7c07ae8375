import { connectCluster, type Cluster } from "../../core/kubernetes/cluster.ts";
import { findNetwork } from "../../core/network/resources/definition.ts";
import { openNetwork as open, type OpenNetwork } from "../../core/network/session/open-network.ts";
import type { Terminal } from "../terminal/io.ts";
import { noticeOn } from "../terminal/notice.ts";
import type { GlobalOptions, PlanOptions } from "./command.ts";

type Timed = GlobalOptions & Partial<Pick<PlanOptions, "timeout">>;

/** Connects to the cluster. A command with a deadline waits for an absent API server until then. */
export async function connect({ kubeconfig, context, timeout }: Timed, terminal: Terminal): Promise<Cluster> {
  const { env, signal } = terminal;
  const patience = timeout === undefined ? undefined : timeout * 1000;
  const notice = noticeOn(terminal);
  return connectCluster({
    kubeconfig,
    context,
    env,
    signal,
    patience,
    onAway: (because) => notice(`${because}; waits for it`),
  });
}

/** The network that the command line is about. The caller closes it. */
export async function openNetwork(options: Timed, terminal: Terminal): Promise<OpenNetwork> {
  const cluster = await connect(options, terminal);
  return open(cluster, await findNetwork(cluster, options.network, noticeOn(terminal), terminal.signal));
}

export const networkOn = open;
