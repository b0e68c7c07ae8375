// Chaincode for the tests, as a service or dialling a peer: keys and values, ranges, history, private data, events.
import shim from "fabric-shim";

type Stub = shim.ChaincodeStub;
type Handler = (stub: Stub, ...args: readonly string[]) => Promise<string>;

const handlers: Readonly<Record<string, Handler>> = {
  put: async (stub, key = "", value = "") => {
    await stub.putState(key, Buffer.from(value));
    stub.setEvent("put", Buffer.from(key));
    return "ok";
  },
  get: async (stub, key = "") => Buffer.from(await stub.getState(key)).toString(),
  add: async (stub, key = "", amount = "0") => {
    const sum = Number(Buffer.from(await stub.getState(key)).toString() || 0) + Number(amount);
    await stub.putState(key, Buffer.from(String(sum)));
    return String(sum);
  },
  remove: async (stub, key = "") => {
    await stub.deleteState(key);
    return "ok";
  },
  range: async (stub, start = "", end = "") => {
    const keys: string[] = [];
    for await (const { key } of stub.getStateByRange(start, end)) {
      keys.push(key);
    }
    return JSON.stringify(keys);
  },
  page: async (stub, size = "1", bookmark = "") => {
    const page = await stub.getStateByRangeWithPagination("", "", Number(size), bookmark);
    const keys: string[] = [];
    for (let next = await page.iterator.next(); !next.done; next = await page.iterator.next()) {
      keys.push(next.value.key);
    }
    return JSON.stringify({ keys, bookmark: page.metadata.bookmark });
  },
  compose: async (stub, type = "", ...parts) => {
    await stub.putState(stub.createCompositeKey(type, [...parts]), Buffer.from("x"));
    return "ok";
  },
  decompose: async (stub, type = "", ...parts) => {
    const keys: string[][] = [];
    for await (const { key } of stub.getStateByPartialCompositeKey(type, [...parts])) {
      keys.push(stub.splitCompositeKey(key).attributes);
    }
    return JSON.stringify(keys);
  },
  history: async (stub, key = "") => {
    const values: (string | null)[] = [];
    for await (const entry of stub.getHistoryForKey(key)) {
      values.push(entry.isDelete ? null : Buffer.from(entry.value).toString());
    }
    return JSON.stringify(values);
  },
  putPrivate: async (stub, collection = "", key = "") => {
    const value = stub.getTransient().get("value") ?? Buffer.alloc(0);
    await stub.putPrivateData(collection, key, Buffer.from(value));
    return "ok";
  },
  getPrivate: async (stub, collection = "", key = "") =>
    Buffer.from(await stub.getPrivateData(collection, key)).toString(),
  call: async (stub, chaincode = "", ...args) => {
    const answer = await stub.invokeChaincode(chaincode, [...args], stub.getChannelID());
    return Buffer.from(answer.payload as Uint8Array).toString();
  },
  creator: async (stub) => stub.getCreator().mspid,
  fail: async () => {
    throw new Error("as asked");
  },
  die: async () => process.exit(3),
};

class AssetChaincode implements shim.ChaincodeInterface {
  async Init(): Promise<shim.ChaincodeResponse> {
    return shim.success();
  }

  async Invoke(stub: Stub): Promise<shim.ChaincodeResponse> {
    const { fcn, params } = stub.getFunctionAndParameters();
    const handler = handlers[fcn];
    try {
      if (handler === undefined) {
        throw new Error(`no function ${fcn}`);
      }
      return shim.success(Buffer.from(await handler(stub, ...params)));
    } catch (error) {
      return shim.error((error as Error).message);
    }
  }
}

const address = process.env["CHAINCODE_SERVER_ADDRESS"];
if (address === undefined) {
  shim.Shim.start(new AssetChaincode());
} else {
  const options = {
    ccid: process.env["CHAINCODE_ID"] ?? "",
    address,
    // Absent means no TLS.
    tlsProps: undefined as unknown as shim.ChaincodeServerTLSProperties,
  };
  await shim.Shim.server(new AssetChaincode(), options).start();
  process.stderr.write("chaincode serves\n");
}
