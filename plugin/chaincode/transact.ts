import { FabricError } from "../error.ts";
import type { OpenNetwork } from "../network/open-network.ts";
import { reachOrganization } from "../network/reach.ts";
import type { PeerOrganization } from "../network/spec.ts";

export interface TransactionRequest {
  readonly chaincode: string;
  readonly channel: string;
  readonly function: string;
  readonly arguments: readonly string[];
  /** Whose administrator signs; the first whose Secrets may be read unless told. */
  readonly organization?: string | undefined;
}

export interface TransactionResult {
  /** What the chaincode returned, as text. */
  readonly payload: string;
  /** Only of a committed transaction. */
  readonly transactionId?: string;
  readonly blockNumber?: string;
}

/** Calls a chaincode through the gateway of an organization's peer. Throws `chaincode` when it answers with an error. */
export async function transact(
  network: OpenNetwork,
  kind: "invoke" | "query",
  request: TransactionRequest,
  timeout: number,
  signal: AbortSignal,
): Promise<TransactionResult> {
  const organization = await signingOrganization(network, request.organization, signal);
  const { gateway } = await reachOrganization(network, organization, signal);
  const options = { signal, timeout };
  if (kind === "query") return { payload: text(await gateway.evaluate(request, options)) };
  const { result, transactionId, blockNumber } = await gateway.submit(request, options);
  return { payload: text(result), transactionId, blockNumber: String(blockNumber) };
}

async function signingOrganization(
  network: OpenNetwork,
  name: string | undefined,
  signal: AbortSignal,
): Promise<PeerOrganization> {
  const all = network.definition.spec.peerOrganizations;
  if (name !== undefined) {
    const organization = all.find((candidate) => candidate.name === name);
    if (organization) return organization;
    throw new FabricError(
      "usage",
      `expected a peer organization of the network (${all.map((it) => it.name).join(", ")}), found ${name}`,
    );
  }
  let refusal: unknown;
  for (const organization of all) {
    try {
      await network.administrator(organization, signal);
      return organization;
    } catch (error) {
      if (!(error instanceof FabricError) || error.code !== "forbidden") throw error;
      refusal ??= error;
    }
  }
  throw refusal;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");
