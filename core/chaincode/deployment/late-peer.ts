import { FabricError } from "../../error.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { podProblem } from "../../network/operations/pod-problem.ts";
import { hostOf, type FabricNode } from "../../network/resources/nodes.ts";
import { isLate, type Target } from "./deployment.ts";

/** The failure of a peer whose Pod is not ready. The other peers go on without it; the same command, typed again later, catches up. */
export class AbsentPeer extends FabricError {
  constructor(node: FabricNode, problem: string, cause?: unknown) {
    super("not-ready", `${hostOf(node)} is not ready: ${problem}`, {
      hint: [
        "type the same command again when it is (",
        { operation: "doctor" },
        " says what is wrong): the other peers are not touched",
      ],
      cause,
    });
  }
}

export const isAbsence = (failure: unknown): boolean => failure instanceof AbsentPeer;

/** Throws AbsentPeer (`not-ready`) for a peer that was late and still is. */
export async function checkPunctual(
  network: OpenNetwork,
  target: Pick<Target, "late">,
  node: FabricNode,
  signal: AbortSignal,
): Promise<void> {
  if (!isLate(target, node)) return;
  const problem = await podProblem(network, node, signal);
  if (problem !== undefined) throw new AbsentPeer(node, problem);
}
