import { X509Certificate } from "node:crypto";
import { common, msp } from "@hyperledger/fabric-protos";
import { assert, integer, property, subarray } from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { Msp, MspManager, type Identity, type Role } from "../../emulator/msp/msp.ts";
import { newImplicitMetaPolicy, newSignaturePolicy, satisfies, type Policy } from "../../emulator/policy/policy.ts";
import { Authority } from "../../integration/emulator/network/authority.ts";

const roles = ["client", "peer", "admin", "orderer"] as const;
let manager: MspManager;
let membership: Msp;
let authority: Authority;
const identities = new Map<string, Identity>();

beforeAll(async () => {
  authority = await Authority.create("ca");
  const unit = (role: Role): readonly [Role, { readonly unit: string; readonly certifier: undefined }] => [
    role,
    { unit: role, certifier: undefined },
  ];
  membership = new Msp({
    name: "Org1MSP",
    roots: [new X509Certificate(authority.certificate)],
    intermediates: [],
    admins: [],
    roleUnits: Object.fromEntries(roles.map(unit)),
    tlsRoots: [],
    tlsIntermediates: [],
  });
  manager = new MspManager([membership]);
  for (const name of [...roles, "peer2"]) {
    const { certificate } = await authority.issue({ commonName: name, unit: name.replace("2", "") });
    identities.set(name, identity(certificate));
  }
});

function identity(certificate: string): Identity {
  return { mspId: "Org1MSP", certificate: new X509Certificate(certificate), bytes: Buffer.from(certificate) };
}

function named(...names: readonly string[]): readonly Identity[] {
  return names.map((name) => identities.get(name) as Identity);
}

const types = msp.MSPRole.MSPRoleType;

/** N out of principals, each a role of Org1MSP. */
function outOf(needed: number, wanted: readonly (keyof typeof types)[]): Policy {
  const envelope = new common.SignaturePolicyEnvelope();
  const gate = new common.SignaturePolicy.NOutOf();
  gate.setN(needed);
  wanted.forEach((name, index) => {
    const role = new msp.MSPRole();
    role.setMspIdentifier("Org1MSP");
    role.setRole(types[name]);
    const principal = new msp.MSPPrincipal();
    principal.setPrincipal(role.serializeBinary());
    envelope.addIdentities(principal);
    const rule = new common.SignaturePolicy();
    rule.setSignedBy(index);
    gate.addRules(rule);
  });
  const rule = new common.SignaturePolicy();
  rule.setNOutOf(gate);
  envelope.setRule(rule);
  return newSignaturePolicy(envelope, manager);
}

describe("a signature policy", () => {
  test("asks for the role that NodeOUs give", () => {
    expect(satisfies(outOf(1, ["PEER"]), named("peer"))).toBe(true);
    expect(satisfies(outOf(1, ["PEER"]), named("client", "admin", "orderer"))).toBe(false);
    expect(satisfies(outOf(1, ["MEMBER"]), named("client"))).toBe(true);
  });

  test("lets one identity stand for one principal only", () => {
    expect(satisfies(outOf(2, ["PEER", "PEER"]), named("peer"))).toBe(false);
    expect(satisfies(outOf(2, ["PEER", "PEER"]), named("peer", "peer2"))).toBe(true);
  });

  test("is never lost by more signatures", () => {
    const all = named("client", "peer", "admin", "orderer", "peer2");
    assert(
      property(
        subarray(["client", "peer", "admin", "orderer", "peer2"]),
        integer({ min: 1, max: 3 }),
        (names, needed) => {
          const policy = outOf(needed, ["PEER", "MEMBER", "ADMIN"]);
          expect(satisfies(policy, all) || !satisfies(policy, named(...names))).toBe(true);
        },
      ),
    );
  });
});

describe("an implicit meta policy", () => {
  const yes: Policy = { evaluate: () => undefined };
  const no: Policy = {
    evaluate: () => {
      throw new Error("no");
    },
  };
  const meta = (rule: keyof typeof common.ImplicitMetaPolicy.Rule, subPolicies: readonly Policy[]): Policy => {
    const definition = new common.ImplicitMetaPolicy();
    definition.setRule(common.ImplicitMetaPolicy.Rule[rule]);
    definition.setSubPolicy("Admins");
    return newImplicitMetaPolicy(definition, subPolicies);
  };

  test.each([
    ["ANY", [no, yes, no], true],
    ["ANY", [no, no], false],
    ["ALL", [yes, yes], true],
    ["ALL", [yes, no], false],
    ["MAJORITY", [yes, no], false],
    ["MAJORITY", [yes, yes, no], true],
    ["MAJORITY", [], true],
  ] as const)("%s", (rule, subPolicies, expected) => {
    expect(satisfies(meta(rule, subPolicies), [])).toBe(expected);
  });

  test("says how many are missing", () => {
    expect(() => meta("MAJORITY", [yes, no, no]).evaluate([])).toThrow(
      "implicit policy evaluation failed - 1 sub-policies were satisfied, but this policy requires 2 of the 'Admins' sub-policies to be satisfied",
    );
  });
});

describe("an MSP", () => {
  test("refuses an identity of two roles, of none, and of another authority", async () => {
    const none = await authority.issue({ commonName: "none" });
    expect(() => membership.validate(identity(none.certificate))).toThrow(
      "the identity does not have an OU that resolves to client, peer, orderer, or admin role",
    );
    const both = await authority.issue({ commonName: "both", unit: "peer, OU=client" });
    expect(() => membership.validate(identity(both.certificate))).toThrow("not a combination of them");
    const other = await (await Authority.create("other")).issue({ commonName: "peer", unit: "peer" });
    expect(() => membership.validate(identity(other.certificate))).toThrow("unknown authority");
  });
});
