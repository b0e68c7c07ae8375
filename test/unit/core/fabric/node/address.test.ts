import { describe, expect, test } from "vitest";
import { parseAddress, printAddress } from "../../../../../core/fabric/node/address.ts";
import { endpointName } from "../../../../../core/fabric/node/endpoint.ts";

describe("an address", () => {
  test.each(["peer0.org1:7051", "10.0.0.1:1", "localhost:65535"])("%s reads and prints", (text) => {
    expect(printAddress(parseAddress(text))).toBe(text);
  });

  test.each(["peer0", "peer0:", ":7051", "peer0:0", "peer0:65536", "https://peer0:7051", "a b:1"])(
    "%s is none",
    (text) => {
      expect(() => parseAddress(text)).toThrow(`expected an address like peer0.org1:7051, found "${text}"`);
    },
  );
});

describe("an endpoint's name", () => {
  const endpoint = { host: "127.0.0.1", port: 7051, serverName: "peer0.org1", tlsRootCertificates: "" };

  test("says who is meant, and where it is reached when that differs", () => {
    expect(endpointName(endpoint)).toBe("peer0.org1 (at 127.0.0.1:7051)");
    expect(endpointName({ ...endpoint, host: "peer0.org1" })).toBe("peer0.org1:7051");
  });
});
