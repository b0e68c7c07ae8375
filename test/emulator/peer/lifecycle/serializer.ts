import { peer } from "@hyperledger/fabric-protos";
import { sha256 } from "../../channel/block.ts";

/** State that one namespace or collection of `_lifecycle` sees. */
export interface LifecycleState {
  get(key: string): Uint8Array | undefined;
}

export interface WritableLifecycleState extends LifecycleState {
  put(key: string, value: Uint8Array): void;
}

/** State of which only hashes are known: another organization's approvals. */
export interface HashedLifecycleState {
  hash(key: string): Uint8Array | undefined;
}

/** A record as Fabric spreads it over keys: its type's name, and its fields in order (core/chaincode/lifecycle/serializer.go). */
export interface LifecycleRecord {
  readonly type: string;
  readonly fields: readonly (readonly [string, FieldValue])[];
}

type FieldValue = number | string | Uint8Array;

function metadataKey(space: string, name: string): string {
  return `${space}/metadata/${name}`;
}

export function fieldKey(space: string, name: string, field: string): string {
  return `${space}/fields/${name}/${field}`;
}

/** Writes what differs from what is there. */
export function writeRecord(space: string, name: string, record: LifecycleRecord, state: WritableLifecycleState): void {
  const existing = readMetadata(space, name, state);
  for (const [field, value] of record.fields) {
    const key = fieldKey(space, name, field);
    const bytes = fieldBytes(value);
    const current = existing?.getFieldsList().includes(field) ? state.get(key) : undefined;
    if (current === undefined || !Buffer.from(current).equals(bytes)) {
      state.put(key, bytes);
    }
  }
  if (existing?.getDatatype() !== record.type || existing.getFieldsList().length !== record.fields.length) {
    state.put(metadataKey(space, name), metadataBytes(record));
  }
}

/** The names of what another organization's record has otherwise; empty when it is the same. */
export function mismatches(
  space: string,
  name: string,
  record: LifecycleRecord,
  state: HashedLifecycleState,
): readonly string[] {
  if (!sha256(metadataBytes(record)).equals(state.hash(metadataKey(space, name)) ?? new Uint8Array())) {
    // All field hashes are read all the same: they count as read when the transaction is validated.
    record.fields.forEach(([field]) => state.hash(fieldKey(space, name, field)));
    return [record.type];
  }
  return record.fields
    .filter(([field, value]) => {
      const hash = state.hash(fieldKey(space, name, field)) ?? new Uint8Array();
      return !sha256(fieldBytes(value)).equals(hash);
    })
    .map(([field]) => field);
}

export function readMetadata(
  space: string,
  name: string,
  state: LifecycleState,
): peer.lifecycle.StateMetadata | undefined {
  const bytes = state.get(metadataKey(space, name));
  return bytes && peer.lifecycle.StateMetadata.deserializeBinary(bytes);
}

export function readBytes(space: string, name: string, field: string, state: LifecycleState): Uint8Array {
  return readField(space, name, field, state)?.getBytes_asU8() ?? new Uint8Array();
}

export function readText(space: string, name: string, field: string, state: LifecycleState): string {
  return readField(space, name, field, state)?.getString() ?? "";
}

/** 0 when there is none. */
export function readNumber(space: string, name: string, field: string, state: LifecycleState): number {
  return readField(space, name, field, state)?.getInt64() ?? 0;
}

function readField(
  space: string,
  name: string,
  field: string,
  state: LifecycleState,
): peer.lifecycle.StateData | undefined {
  const bytes = state.get(fieldKey(space, name, field));
  return bytes && peer.lifecycle.StateData.deserializeBinary(bytes);
}

function metadataBytes(record: LifecycleRecord): Uint8Array {
  const metadata = new peer.lifecycle.StateMetadata();
  metadata.setDatatype(record.type);
  metadata.setFieldsList(record.fields.map(([field]) => field));
  return metadata.serializeBinary();
}

function fieldBytes(value: FieldValue): Uint8Array {
  const data = new peer.lifecycle.StateData();
  if (typeof value === "number") {
    data.setInt64(value);
  } else if (typeof value === "string") {
    data.setString(value);
  } else {
    data.setBytes(value);
  }
  return data.serializeBinary();
}
