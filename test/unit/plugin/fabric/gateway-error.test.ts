import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { CommitError, GatewayError, StatusCode } from "@hyperledger/fabric-gateway";
import { describe, expect, it } from "vitest";
import { FabricError } from "../../../../plugin/error.ts";
import { gatewayFailure, isStateRace } from "../../../../plugin/fabric/gateway-error.ts";
import { grpcError } from "../../../../plugin/fabric/grpc-error.ts";

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
  it("tells what every endorser said", () => {
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

  it.each([
    [
      status.FAILED_PRECONDITION,
      "no combination of peers can be derived which satisfy the endorsement policy",
      "not-ready",
      /find each other by gossip/,
    ],
    [status.FAILED_PRECONDITION, "no peers available to evaluate chaincode x in channel y", "not-ready", /deploy-cc/],
    [status.UNAVAILABLE, "no orderers could successfully process transaction", "not-ready", undefined],
    [status.UNAVAILABLE, "connection refused", "connection", undefined],
    [status.DEADLINE_EXCEEDED, "Deadline exceeded", "timeout", undefined],
    [status.CANCELLED, "interrupted", "interrupted", undefined],
    [status.PERMISSION_DENIED, "access denied: channel [c] creator org [Org9MSP]", "rejected", /another identity/],
    [status.UNIMPLEMENTED, "unknown service gateway.Gateway", "rejected", /does not offer this service/],
    [status.UNKNOWN, "error validating proposal: the certificate has expired", "rejected", /status shows/],
  ])("%i %s is %s", (code, text, expected, hint) => {
    const failure = gatewayFailure("it", gatewayError(code, text));
    expect(failure).toMatchObject({ code: expected });
    expect(failure instanceof FabricError ? (failure.hint ?? "") : "").toMatch(hint ?? /^$/);
  });

  it("that only came too late may be tried again", () => {
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

  it("of endorsers that had not the same blocks may be tried again", () => {
    const mismatch = gatewayError(status.ABORTED, "failed to collect enough transaction endorsements", [
      "ProposalResponsePayloads do not match",
    ]);
    expect(isStateRace(gatewayFailure("it", mismatch))).toBe(true);
    expect(isStateRace(gatewayFailure("it", gatewayError(status.ABORTED, "failed to endorse transaction")))).toBe(
      false,
    );
  });

  it("that is none of Fabric's passes through", () => {
    const other = new TypeError("x");
    expect(gatewayFailure("it", other)).toBe(other);
  });
});

describe("a failed call", () => {
  it.each([
    ["self-signed certificate in certificate chain", /TLS authority vouches for/],
    ["Hostname/IP does not match certificate's altnames", /TLS authority vouches for/],
    ["tlsv13 alert certificate required", /asks for a client certificate/],
  ])("by %s says what to look at", (details, hint) => {
    expect(grpcError("asking", serviceError(status.UNAVAILABLE, details)).hint).toMatch(hint);
  });
});
