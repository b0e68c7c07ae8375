import { readFile } from "node:fs/promises";
import { FabricError, messageOf } from "../../error.ts";
import {
  defaultEndorsementPolicyBytes,
  type ChaincodeDefinition,
} from "../../fabric/chaincode/chaincode-definition.ts";
import { collectionsBytes, parseCollections } from "../../fabric/chaincode/collections.ts";
import { checkCollectionsChange, withLaterCollections } from "../../fabric/chaincode/collections-change.ts";
import { parseEndorsementPolicy } from "../../fabric/policy/endorsement-policy.ts";
import type { WantedDefinition } from "./next-definition.ts";

/** What a user may say about a definition. What is not said stays as it is on the channel. */
export interface Terms {
  readonly version?: string | undefined;
  /** A signature policy, or the path of a policy of the channel. */
  readonly policy?: string | undefined;
  /** Serialized; empty for none. */
  readonly collections?: Uint8Array | undefined;
  readonly initRequired?: boolean | undefined;
}

/** The definitions that terms are taken from where the user says nothing. */
export interface Standing {
  readonly name: string;
  readonly committed: ChaincodeDefinition | undefined;
  /** What to go back to. */
  readonly former: ChaincodeDefinition | undefined;
}

/** Terms as bytes: what the user says, else the former definition, else the one in force, else Fabric's defaults. */
export function wantedTerms(terms: Terms, { name, committed, former }: Standing): WantedDefinition {
  const before = former ?? committed;
  const present = committed?.collections ?? new Uint8Array();
  const collections = terms.collections ?? withLaterCollections(before?.collections ?? new Uint8Array(), present);
  checkCollectionsChange(present, collections);
  return {
    name,
    version: terms.version ?? former?.version,
    endorsementPolicy:
      terms.policy === undefined
        ? (before?.endorsementPolicy ?? defaultEndorsementPolicyBytes())
        : parseEndorsementPolicy(terms.policy).serializeBinary(),
    collections,
    initRequired: terms.initRequired ?? before?.initRequired ?? false,
  };
}

/** Reads a collections file. Throws `usage` that names the file and what is wrong in it. */
export async function readCollections(file: string): Promise<Uint8Array> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new FabricError("usage", `cannot read the collections file ${file}: ${messageOf(cause)}`, { cause });
  }
  try {
    return collectionsBytes(parseCollections(text));
  } catch (cause) {
    if (!(cause instanceof FabricError)) throw cause;
    throw new FabricError(cause.code, `${file}: ${cause.message}`, { hint: cause.hint, cause });
  }
}
