import type { peer } from "@hyperledger/fabric-protos";
import type { KeyModification } from "../../ledger/ledger.ts";
import type { Simulator } from "../../ledger/simulator.ts";

/** What one transaction may see and do while a chaincode runs it. */
export interface TransactionContext {
  readonly channelId: string;
  readonly transactionId: string;
  /** The chaincode's name: the namespace of its keys. */
  readonly namespace: string;
  readonly signedProposal: peer.SignedProposal;
  readonly simulator: Simulator;
  readonly isInit: boolean;
  history(key: string): readonly KeyModification[];
  /** Throws when the proposal's creator may not read or write a collection. */
  checkCollection(collection: string, access: "read" | "write"): void;
  /** Calls another chaincode, with the same simulator when it is on the same channel. */
  invoke(chaincodeName: string, channelId: string, input: peer.ChaincodeInput): Promise<peer.ChaincodeMessage>;
}
