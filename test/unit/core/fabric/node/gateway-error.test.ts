import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { CommitError, CommitStatusError, EndorseError, GatewayError, StatusCode } from "@hyperledger/fabric-gateway";
import { describe, expect, test } from "vitest";
import { FabricError } from "../../../../../core/error.ts";
import { gatewayFailure, isStateRace } from "../../../../../core/fabric/node/gateway-error.ts";
import { grpcError } from "../../../../../core/fabric/node/grpc-error.ts";
import { typedAs, typedHint } from "../../../../typed-as.ts";

function serviceError(code: status, details: string): ServiceError {
  return Object.assign(new Error(`${code} ${details}`), { code, details, metadata: new Metadata() });
}

function gatewayError(code: status, text: string, messages: readonly string[] = []): GatewayError {
  const details = messages.map((message, index) => ({
    address: `peer0.org${index + 1}:7051`,
    mspId: `Org${index + 1}MSP`,
    message,
  }));
  return new GatewayError({ code, details, cause: serviceError(code, text) });
}

const readConflict = new CommitError({
  code: StatusCode.MVCC_READ_CONFLICT,
  transactionId: "t1",
  message: "MVCC_READ_CONFLICT",
});

describe("a failed transaction", () => {
  test("tells what every endorser said", () => {
    const error = gatewayError(status.ABORTED, "failed to endorse transaction", [
      "chaincode response 500, no such asset",
      "chaincode response 500, no such asset",
    ]);
    expect(gatewayFailure("assets Read", error)).toMatchObject({
      code: "chaincode",
      message:
        "assets Read: failed to endorse transaction\n" +
        "  peer0.org1:7051 (Org1MSP): chaincode response 500, no such asset\n" +
        "  peer0.org2:7051 (Org2MSP): chaincode response 500, no such asset",
      cause: error,
    });
  });

  test.each([
    [
      status.FAILED_PRECONDITION,
      "no combination of peers can be derived which satisfy the endorsement policy",
      "not-ready",
      /find each other by gossip/,
    ],
    [status.FAILED_PRECONDITION, "no peers available to evaluate chaincode x in channel y", "not-ready", /deploy-cc/],
    [status.UNAVAILABLE, "no orderers could successfully process transaction", "not-ready", /status .*which orderers/],
    [status.UNAVAILABLE, "no orderer nodes available", "not-ready", /status .*which orderers/],
    [status.UNAVAILABLE, "insufficient number of orderers could successfully", "not-ready", /status .*which orderers/],
    [
      status.ABORTED,
      "chaincode 'asset' does not require initialization but called as init",
      "rejected",
      /leave --init/,
    ],
    [status.ABORTED, "chaincode 'asset' is already initialized but called as init", "rejected", /leave --init/],
    [status.ABORTED, "chaincode 'asset' has not been initialized for this version", "rejected", /--init/],
    [status.UNAVAILABLE, "connection refused", "connection", undefined],
    [status.DEADLINE_EXCEEDED, "Deadline exceeded", "timeout", undefined],
    [status.CANCELLED, "interrupted", "interrupted", undefined],
    [status.PERMISSION_DENIED, "access denied: channel [c] creator org [Org9MSP]", "rejected", /another identity/],
    [status.UNIMPLEMENTED, "unknown service gateway.Gateway", "rejected", /does not offer this service/],
    [status.UNKNOWN, "error validating proposal: the certificate has expired", "rejected", /status shows/],
  ])("%i %s is %s", (code, text, expected, hint) => {
    const failure = gatewayFailure("it", gatewayError(code, text));
    expect(failure).toMatchObject({ code: expected });
    expect(typedHint(failure)).toMatch(hint ?? /^$/);
  });

  test.each([
    "the offer has expired",
    "access denied to the vault",
    "the bid does not satisfy the minimum",
    "no combination of peers wins",
    "no orderers could be found for the article",
  ])("that its chaincode refused, as %s, gets no hint about the network", (said) => {
    const message = `chaincode response 500, ${said}`;
    const [endorsed, evaluated] = [
      gatewayError(status.ABORTED, "failed to endorse transaction", [message]),
      gatewayError(status.UNKNOWN, `evaluate call to endorser returned error: ${message}`, [message]),
    ].map((error) => gatewayFailure("it", error));
    expect(endorsed).toMatchObject({
      code: "chaincode",
      message: `it: failed to endorse transaction\n  peer0.org1:7051 (Org1MSP): ${message}`,
      hint: undefined,
    });
    expect(evaluated).toMatchObject({ code: "chaincode", hint: undefined });
  });

  test("that one peer's chaincode refused gets the hint about another peer", () => {
    const error = gatewayError(status.ABORTED, "failed to endorse transaction", [
      "chaincode response 500, the offer has expired",
      "chaincode definition for 'asset' exists, but chaincode is not installed",
    ]);
    expect(gatewayFailure("it", error)).toMatchObject({
      code: "chaincode",
      hint: typedAs(expect.stringContaining("deploy-cc")),
    });
  });

  test("for want of a quorum says that nobody orders, and what each orderer said", () => {
    const error = new GatewayError({
      code: status.UNAVAILABLE,
      details: [{ address: "orderer0:7050", mspId: "OrdererMSP", message: "no Raft leader" }],
      cause: serviceError(status.UNAVAILABLE, "no orderers could successfully process transaction"),
    });
    expect(gatewayFailure("asset Create on mychannel", error)).toMatchObject({
      code: "not-ready",
      message:
        "asset Create on mychannel: expected orderers that order the channel's transactions, found none: " +
        "no orderers could successfully process transaction\n  orderer0:7050 (OrdererMSP): no Raft leader",
    });
  });

  const late = "Deadline exceeded after 2.888s,name resolution: 0.005s,metadata filters: 0.001s,LB pick: 0.001s";
  const failed = { code: status.DEADLINE_EXCEEDED, details: [], cause: serviceError(status.DEADLINE_EXCEEDED, late) };
  test.each([
    ["while it is asked", new GatewayError(failed), "no answer in time"],
    [
      "while it is endorsed",
      new EndorseError({ ...failed, transactionId: "t1" }),
      "no answer in time; nothing is written",
    ],
    [
      "while it is sent to be ordered",
      Object.assign(new GatewayError(failed), { transactionId: "t1" }),
      "no answer in time; the transaction t1 may still be committed",
    ],
    [
      "before it is committed",
      new CommitStatusError({ ...failed, transactionId: "t1" }),
      "no answer in time; the transaction t1 may still be committed",
    ],
  ])("whose time is over %s says what may yet become of it", (_, error, said) => {
    expect(gatewayFailure("it", error)).toMatchObject({ code: "timeout", message: `it: ${said}` });
  });

  test("that only came too late may be tried again", () => {
    const failure = gatewayFailure("it", readConflict);
    expect(failure).toMatchObject({
      code: "rejected",
      message: "it: MVCC_READ_CONFLICT",
      hint: expect.stringContaining("again"),
    });
    expect(isStateRace(failure)).toBe(true);
    const policy = new CommitError({ code: StatusCode.ENDORSEMENT_POLICY_FAILURE, transactionId: "t", message: "no" });
    expect(isStateRace(gatewayFailure("it", policy))).toBe(false);
    expect(isStateRace(new Error("no"))).toBe(false);
  });

  test("of endorsers that had not the same blocks may be tried again", () => {
    const mismatch = gatewayError(status.ABORTED, "failed to collect enough transaction endorsements", [
      "ProposalResponsePayloads do not match",
    ]);
    expect(isStateRace(gatewayFailure("it", mismatch))).toBe(true);
    expect(isStateRace(gatewayFailure("it", gatewayError(status.ABORTED, "failed to endorse transaction")))).toBe(
      false,
    );
  });

  test("that is none of Fabric's passes through", () => {
    const other = new TypeError("x");
    expect(gatewayFailure("it", other)).toBe(other);
  });
});

describe("a transaction whose connection was cut", () => {
  const cut = gatewayError(status.UNAVAILABLE, "read ECONNRESET");
  const sent = Object.assign(gatewayError(status.UNAVAILABLE, "read ECONNRESET"), { transactionId: "t1" });
  const endpoint = {
    lastFailure: () => new FabricError("connection", "lost the connection", { hint: "try again: it is taken up" }),
  };

  test("that had been sent says so, and is not asked for again", () => {
    const failure = gatewayFailure("it", sent, endpoint);
    expect(failure).toMatchObject({
      code: "connection",
      message: "it: lost the connection; the transaction t1 may still be committed",
      cause: sent,
    });
    expect(failure).toHaveProperty("hint", undefined);
  });

  test("in a question says what to do", () => {
    expect(gatewayFailure("it", cut, endpoint)).toMatchObject({
      message: "it: lost the connection",
      hint: "try again: it is taken up",
    });
  });
});

describe("a failed call", () => {
  test("says no more of its time than that it is over", () => {
    const error = serviceError(status.DEADLINE_EXCEEDED, "Deadline exceeded after 2.888s,name resolution: 0.005s");
    expect(grpcError("asking", error)).toMatchObject({ code: "timeout", message: "asking: no answer in time" });
  });

  test.each([
    ["self-signed certificate in certificate chain", /TLS authority vouches for/],
    ["Hostname/IP does not match certificate's altnames", /TLS authority vouches for/],
    ["tlsv13 alert certificate required", /asks for a client certificate/],
  ])("by %s says what to look at", (details, hint) => {
    expect(typedHint(grpcError("asking", serviceError(status.UNAVAILABLE, details)))).toMatch(hint);
  });
});
