import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  parseEndorsementPolicy,
  printEndorsementPolicy,
} from "../../../../../core/fabric/policy/endorsement-policy.ts";
import {
  mspIdsOf,
  parseSignaturePolicy,
  type PrincipalRole,
  printSignaturePolicy,
  readSignaturePolicy,
  type SignaturePolicy,
  signaturePolicyEnvelope,
} from "../../../../../core/fabric/policy/signature-policy.ts";

const roles: readonly PrincipalRole[] = ["member", "admin", "client", "peer", "orderer"];

const principal = fc.record({
  mspId: fc.stringMatching(/^[a-zA-Z0-9.-]{1,12}$/),
  role: fc.constantFrom(...roles),
});

const { policy } = fc.letrec<{ policy: SignaturePolicy; rule: SignaturePolicy }>((tie) => ({
  rule: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    principal.map((who) => ({ type: "signed-by", principal: who }) as const),
    tie("policy"),
  ),
  policy: fc
    .array(tie("rule"), { minLength: 1, maxLength: 4 })
    .chain((rules) =>
      fc.integer({ min: 0, max: rules.length + 1 }).map((n) => ({ type: "out-of", n, rules }) as const),
    ),
}));

describe("signature policies", () => {
  test("print and parse back to themselves", () => {
    fc.assert(
      fc.property(policy, (any) => {
        expect(parseSignaturePolicy(printSignaturePolicy(any))).toEqual(any);
      }),
    );
  });

  test("survive Fabric's own form", () => {
    fc.assert(
      fc.property(policy, (any) => {
        expect(readSignaturePolicy(signaturePolicyEnvelope(any))).toEqual(any);
      }),
    );
  });

  test("are written with any spacing, quotes and letter case of gates", () => {
    const plain = parseSignaturePolicy("AND('A.member',OR('B.peer','C.admin'))");
    expect(parseSignaturePolicy(`  and( "A.member" , or( 'B.peer', "C.admin") ) `)).toEqual(plain);
    expect(parseSignaturePolicy("And('A.member', OutOf('1', 'B.peer', 'C.admin'))")).toEqual(plain);
  });

  test("name principals in Fabric's order: those of inner gates first", () => {
    // common/policydsl/policyparser_test.go, TestComplex1
    const envelope = signaturePolicyEnvelope(parseSignaturePolicy("OR('A.member', AND('B.member', 'C.member'))"));
    expect(Buffer.from(envelope.serializeBinary()).toString("hex")).toBe(Buffer.from(goldenComplex1()).toString("hex"));
  });

  test("tell the organizations they speak of", () => {
    expect(mspIdsOf(parseSignaturePolicy("OR('A.member', AND('B.member', 'A.peer'))"))).toEqual(["A", "B"]);
  });

  test.each([
    ["", "expected AND(, OR( or OutOf(, found the end, at column 1"],
    ["'Org1MSP.member'", 'expected AND(, OR( or OutOf(, found "Org1MSP.member", at column 1'],
    ["AND('Org1MSP.member'", "expected ), found the end, at column 21"],
    [
      "OR('Org1MSP.owner')",
      `expected an MSP ID with a role like 'Org1MSP.member' (or admin, client, peer, orderer), found "Org1MSP.owner", at column 4`,
    ],
    ["OR('Org1MSP.peer') x", 'expected the end, found "x", at column 20'],
    ["OR('A.peer' 'B.peer')", 'expected ), found "B.peer", at column 13'],
    ["OutOf(3, 'A.peer')", "expected a number from 0 to 2 in OutOf, found 3, at column 18"],
    ["OutOf('A.peer')", 'expected how many have to sign, found "A.peer", at column 7'],
    ["NOR('A.peer')", 'expected AND(, OR( or OutOf(, found "NOR", at column 1'],
    ["AND()", 'expected AND(, OR( or OutOf(, found ")", at column 5'],
    ["OR('A.peer", 'expected AND(, OR( or OutOf(, found "\'", at column 4'],
  ])("refuse %s and say where", (text, message) => {
    expect(() => parseSignaturePolicy(text)).toThrow(expect.objectContaining({ code: "usage" }));
    expect(() => parseSignaturePolicy(text)).toThrow(message);
  });
});

describe("endorsement policies", () => {
  test.each([
    "/Channel/Application/Endorsement",
    "Application/Endorsement",
    "OR('Org1MSP.peer', AND('Org2MSP.peer', 'Org3MSP.peer'))",
  ])("%s reads back from a definition's bytes", (text) =>
    expect(printEndorsementPolicy(parseEndorsementPolicy(text).serializeBinary())).toBe(text),
  );
});

/** The message by hand: rule 1-of {2, 2-of {0, 1}}, identities B, C, A. */
function goldenComplex1(): Uint8Array {
  const signedBy = (index: number) => [0x08, index];
  const field = (tag: number, body: readonly number[]) => [tag, body.length, ...body];
  const outOf = (n: number, rules: readonly (readonly number[])[]) =>
    field(0x12, [0x08, n, ...rules.flatMap((rule) => field(0x12, rule))]);
  const member = (id: string) => field(0x1a, field(0x12, field(0x0a, [id.charCodeAt(0)])));
  const rule = outOf(1, [signedBy(2), outOf(2, [signedBy(0), signedBy(1)])]);
  return Uint8Array.from([...field(0x12, rule), ...member("B"), ...member("C"), ...member("A")]);
}
