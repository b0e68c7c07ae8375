import { ledger, peer } from "@hyperledger/fabric-protos";
import type { TransactionContext } from "./context.ts";

const { MessageType } = { MessageType: peer.ChaincodeMessage.Type };
const { queryresult } = ledger;

/** Results left over of the queries of one transaction, by the iterator's ID. */
export type Iterators = Map<string, readonly Uint8Array[]>;

/** Fabric's ledger.state.totalQueryLimit, and how many results go into one message (core/chaincode/chaincode_support.go). */
const totalQueryLimit = 100_000;
const resultsAtOnce = 100;

/** Answers what a chaincode asks for while it runs a transaction; throws Fabric's text (core/chaincode/handler.go). */
export async function answerRequest(
  message: peer.ChaincodeMessage,
  context: TransactionContext,
  iterators: Iterators,
): Promise<Uint8Array> {
  const payload = message.getPayload_asU8();
  switch (message.getType()) {
    case MessageType.GET_STATE:
      return get(peer.GetState.deserializeBinary(payload), context);
    case MessageType.GET_STATE_MULTIPLE:
      return getMultiple(peer.GetStateMultiple.deserializeBinary(payload), context);
    case MessageType.GET_PRIVATE_DATA_HASH: {
      const request = peer.GetState.deserializeBinary(payload);
      forbidInInit(context);
      return bytes(context.simulator.getPrivateHash(context.namespace, request.getCollection(), request.getKey()));
    }
    case MessageType.PUT_STATE: {
      const request = peer.PutState.deserializeBinary(payload);
      put(context, request.getCollection(), request.getKey(), request.getValue_asU8());
      return empty;
    }
    case MessageType.DEL_STATE: {
      const request = peer.DelState.deserializeBinary(payload);
      remove(context, request.getCollection(), request.getKey());
      return empty;
    }
    case MessageType.WRITE_BATCH_STATE:
      return writeBatch(peer.WriteBatchState.deserializeBinary(payload), context);
    case MessageType.GET_STATE_BY_RANGE:
      return range(peer.GetStateByRange.deserializeBinary(payload), context, iterators);
    case MessageType.GET_HISTORY_FOR_KEY:
      return history(peer.GetHistoryForKey.deserializeBinary(payload), context, iterators);
    case MessageType.QUERY_STATE_NEXT:
      return next(peer.QueryStateNext.deserializeBinary(payload).getId(), iterators);
    case MessageType.QUERY_STATE_CLOSE: {
      const id = peer.QueryStateClose.deserializeBinary(payload).getId();
      iterators.delete(id);
      return response(id, [], false);
    }
    case MessageType.INVOKE_CHAINCODE:
      return invoke(peer.ChaincodeSpec.deserializeBinary(payload), context);
    case MessageType.GET_QUERY_RESULT:
      // The answer of a peer without CouchDB (statedb/stateleveldb).
      throw new Error("ExecuteQuery not supported for leveldb");
    default:
      throw new Error(`the emulator does not support this request (type ${message.getType()})`);
  }
}

const empty = new Uint8Array();

function bytes(value: Uint8Array | undefined): Uint8Array {
  return value ?? empty;
}

function get(request: peer.GetState, context: TransactionContext): Uint8Array {
  const collection = request.getCollection();
  if (collection === "") {
    return bytes(context.simulator.get(context.namespace, request.getKey()));
  }
  forbidInInit(context);
  context.checkCollection(collection, "read");
  return bytes(context.simulator.getPrivate(context.namespace, collection, request.getKey()));
}

function getMultiple(request: peer.GetStateMultiple, context: TransactionContext): Uint8Array {
  const result = new peer.GetStateMultipleResult();
  result.setValuesList(
    request.getKeysList().map((key) => {
      const single = new peer.GetState();
      single.setKey(key);
      single.setCollection(request.getCollection());
      return get(single, context);
    }),
  );
  return result.serializeBinary();
}

function put(context: TransactionContext, collection: string, key: string, value: Uint8Array): void {
  if (collection === "") {
    context.simulator.put(context.namespace, key, value);
    return;
  }
  forbidInInit(context);
  context.checkCollection(collection, "write");
  context.simulator.putPrivate(context.namespace, collection, key, value);
}

function remove(context: TransactionContext, collection: string, key: string): void {
  if (collection === "") {
    context.simulator.delete(context.namespace, key);
    return;
  }
  forbidInInit(context);
  context.checkCollection(collection, "write");
  context.simulator.deletePrivate(context.namespace, collection, key);
}

function writeBatch(batch: peer.WriteBatchState, context: TransactionContext): Uint8Array {
  for (const record of batch.getRecList()) {
    switch (record.getType()) {
      case peer.WriteRecord.Type.PUT_STATE:
        put(context, record.getCollection(), record.getKey(), record.getValue_asU8());
        break;
      case peer.WriteRecord.Type.DEL_STATE:
        remove(context, record.getCollection(), record.getKey());
        break;
      default:
        throw new Error("the emulator does not support this kind of write");
    }
  }
  return empty;
}

function range(request: peer.GetStateByRange, context: TransactionContext, iterators: Iterators): Uint8Array {
  const { namespace, simulator } = context;
  const collection = request.getCollection();
  const results = (pairs: readonly { readonly key: string; readonly value: Uint8Array }[]): readonly Uint8Array[] =>
    pairs.map(({ key, value }) => keyValue(namespace, key, value));
  if (collection !== "") {
    forbidInInit(context);
    context.checkCollection(collection, "read");
    const pairs = simulator.privateRange(namespace, collection, request.getStartkey(), request.getEndkey());
    return first(results(pairs), iterators);
  }
  const page = peer.QueryMetadata.deserializeBinary(request.getMetadata_asU8());
  if (page.getPagesize() === 0 && page.getBookmark() === "") {
    const pairs = simulator.range(namespace, request.getStartkey(), request.getEndkey(), totalQueryLimit);
    return first(results(pairs), iterators);
  }
  return onePage(request, page, context);
}

/** A page stands alone; its bookmark is the key with which the next begins. */
function onePage(request: peer.GetStateByRange, page: peer.QueryMetadata, context: TransactionContext): Uint8Array {
  const start = page.getBookmark() === "" ? request.getStartkey() : page.getBookmark();
  const size = page.getPagesize();
  const pairs = context.simulator.range(context.namespace, start, request.getEndkey(), size + 1);
  const metadata = new peer.QueryResponseMetadata();
  metadata.setBookmark(pairs[size]?.key ?? "");
  metadata.setFetchedRecordsCount(Math.min(pairs.length, size));
  const results = pairs.slice(0, size).map(({ key, value }) => keyValue(context.namespace, key, value));
  return response(newId(), results, false, metadata.serializeBinary());
}

function history(request: peer.GetHistoryForKey, context: TransactionContext, iterators: Iterators): Uint8Array {
  const results = context.history(request.getKey()).map(({ transactionId, timestamp, value }) => {
    const modification = new queryresult.KeyModification();
    modification.setTxId(transactionId);
    modification.setTimestamp(timestamp);
    modification.setIsDelete(value === undefined);
    modification.setValue(value ?? empty);
    return modification.serializeBinary();
  });
  return first(results, iterators);
}

function first(results: readonly Uint8Array[], iterators: Iterators): Uint8Array {
  const id = newId();
  iterators.set(id, results);
  return next(id, iterators);
}

function next(id: string, iterators: Iterators): Uint8Array {
  const left = iterators.get(id);
  if (left === undefined) {
    throw new Error("query iterator not found");
  }
  const more = left.length > resultsAtOnce;
  if (more) {
    iterators.set(id, left.slice(resultsAtOnce));
  } else {
    iterators.delete(id);
  }
  return response(id, left.slice(0, resultsAtOnce), more);
}

function response(id: string, results: readonly Uint8Array[], more: boolean, metadata?: Uint8Array): Uint8Array {
  const answer = new peer.QueryResponse();
  answer.setId(id);
  answer.setHasMore(more);
  for (const result of results) {
    const item = new peer.QueryResultBytes();
    item.setResultbytes(result);
    answer.addResults(item);
  }
  if (metadata !== undefined) {
    answer.setMetadata(metadata);
  }
  return answer.serializeBinary();
}

async function invoke(spec: peer.ChaincodeSpec, context: TransactionContext): Promise<Uint8Array> {
  // `name/channel` (core/chaincode/handler.go ParseName).
  const [name = "", channelId = context.channelId] = (spec.getChaincodeId()?.getName() ?? "").split("/");
  const reply = await context.invoke(name, channelId, spec.getInput() ?? new peer.ChaincodeInput());
  return reply.serializeBinary();
}

function keyValue(namespace: string, key: string, value: Uint8Array): Uint8Array {
  const pair = new queryresult.KV();
  pair.setNamespace(namespace);
  pair.setKey(key);
  pair.setValue(value);
  return pair.serializeBinary();
}

function forbidInInit(context: TransactionContext): void {
  if (context.isInit) {
    throw new Error("private data APIs are not allowed in chaincode Init()");
  }
}

let lastId = 0;

function newId(): string {
  lastId++;
  return `iterator-${lastId}`;
}
