import { common, msp } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";

export type PrincipalRole = "member" | "admin" | "client" | "peer" | "orderer";

/** A signature of any identity of the organization with the role counts. */
interface Principal {
  readonly mspId: string;
  readonly role: PrincipalRole;
}

/** A principal signs, or `n` of `rules` hold. AND is all of them, OR is one. */
export type SignaturePolicy =
  | { readonly type: "signed-by"; readonly principal: Principal }
  | { readonly type: "out-of"; readonly n: number; readonly rules: readonly SignaturePolicy[] };

const roleNumbers = {
  member: msp.MSPRole.MSPRoleType.MEMBER,
  admin: msp.MSPRole.MSPRoleType.ADMIN,
  client: msp.MSPRole.MSPRoleType.CLIENT,
  peer: msp.MSPRole.MSPRoleType.PEER,
  orderer: msp.MSPRole.MSPRoleType.ORDERER,
} as const satisfies Record<PrincipalRole, number>;

const principalPattern = /^([a-zA-Z0-9.-]+)\.(admin|member|client|peer|orderer)$/;

/**
 * Reads `AND('Org1MSP.member', OR(...), OutOf(2, ...))`, the language of common/policydsl/policyparser.go.
 * Gates are written all upper, all lower or capitalized; strings in single or double quotes.
 * Throws `usage` with the column of what is wrong.
 */
export function parseSignaturePolicy(text: string): SignaturePolicy {
  const tokens = tokenize(text);
  const policy = parseGate(tokens);
  const rest = tokens.next();
  if (rest.kind !== "end") throw unexpected(text, rest, "the end");
  return policy;
}

/** The inverse of `parseSignaturePolicy`. */
export function printSignaturePolicy(policy: SignaturePolicy): string {
  if (policy.type === "signed-by") return `'${policy.principal.mspId}.${policy.principal.role}'`;
  const rules = policy.rules.map(printSignaturePolicy).join(", ");
  if (policy.n === 1) return `OR(${rules})`;
  if (policy.n === policy.rules.length) return `AND(${rules})`;
  return `OutOf(${policy.n}, ${rules})`;
}

/**
 * The policy as Fabric keeps it, byte for byte as the peer command makes it from the same text: approvals of several
 * organizations count together only when their bytes are equal. Hence principals of inner gates come first and none is shared
 * (common/policydsl/policyparser.go, secondPass).
 */
export function signaturePolicyEnvelope(policy: SignaturePolicy): common.SignaturePolicyEnvelope {
  const principals: Principal[] = [];
  const envelope = new common.SignaturePolicyEnvelope();
  envelope.setRule(ruleOf(policy, principals));
  envelope.setIdentitiesList(principals.map(mspPrincipal));
  return envelope;
}

/** Reads a policy of roles. Throws `invalid` for one that names single identities or units, which our text form cannot express. */
export function readSignaturePolicy(envelope: common.SignaturePolicyEnvelope): SignaturePolicy {
  const principals = envelope.getIdentitiesList().map(readPrincipal);
  const rule = envelope.getRule();
  if (!rule) throw new FabricError("invalid", "expected a signature policy with a rule, found none");
  return readRule(rule, principals);
}

/** MSP IDs of the organizations that a policy names, each once. */
export function mspIdsOf(policy: SignaturePolicy): readonly string[] {
  if (policy.type === "signed-by") return [policy.principal.mspId];
  return [...new Set(policy.rules.flatMap(mspIdsOf))];
}

/**
 * Whether signatures can satisfy a policy: `never` when a gate asks for more of them than it has rules; `always` when it needs no signature
 * at all, as OutOf(0, …) (common/cauthdsl/cauthdsl.go, compile; policydsl calls the one RejectAllPolicy, the other AcceptAllPolicy).
 */
export function satisfiedWhen(policy: SignaturePolicy): "always" | "never" | "signed" {
  if (policy.type === "signed-by") return "signed";
  const parts = policy.rules.map(satisfiedWhen);
  const count = (answer: ReturnType<typeof satisfiedWhen>) => parts.filter((part) => part === answer).length;
  if (count("always") >= policy.n) return "always";
  return parts.length - count("never") < policy.n ? "never" : "signed";
}

function ruleOf(policy: SignaturePolicy, principals: Principal[]): common.SignaturePolicy {
  const rule = new common.SignaturePolicy();
  if (policy.type === "signed-by") {
    rule.setSignedBy(principals.push(policy.principal) - 1);
    return rule;
  }
  const gates = policy.rules.map((part) => (part.type === "out-of" ? ruleOf(part, principals) : undefined));
  const out = new common.SignaturePolicy.NOutOf();
  out.setN(policy.n);
  out.setRulesList(policy.rules.map((part, index) => gates[index] ?? ruleOf(part, principals)));
  rule.setNOutOf(out);
  return rule;
}

function readRule(rule: common.SignaturePolicy, principals: readonly Principal[]): SignaturePolicy {
  const out = rule.getNOutOf();
  if (out) {
    return { type: "out-of", n: out.getN(), rules: out.getRulesList().map((part) => readRule(part, principals)) };
  }
  const principal = principals[rule.getSignedBy()];
  if (!principal)
    throw new FabricError("invalid", `expected principal ${rule.getSignedBy()} of the policy, found none`);
  return { type: "signed-by", principal };
}

function mspPrincipal({ mspId, role }: Principal): msp.MSPPrincipal {
  const mspRole = new msp.MSPRole();
  mspRole.setMspIdentifier(mspId);
  mspRole.setRole(roleNumbers[role]);
  const principal = new msp.MSPPrincipal();
  principal.setPrincipalClassification(msp.MSPPrincipal.Classification.ROLE);
  principal.setPrincipal(mspRole.serializeBinary());
  return principal;
}

function readPrincipal(principal: msp.MSPPrincipal): Principal {
  if (principal.getPrincipalClassification() !== msp.MSPPrincipal.Classification.ROLE) {
    throw new FabricError("invalid", "expected a policy of roles, found one of other principals");
  }
  const mspRole = msp.MSPRole.deserializeBinary(principal.getPrincipal_asU8());
  const role = (Object.keys(roleNumbers) as PrincipalRole[]).find((name) => roleNumbers[name] === mspRole.getRole());
  if (!role) throw new FabricError("invalid", `expected a role of an organization, found ${mspRole.getRole()}`);
  return { mspId: mspRole.getMspIdentifier(), role };
}

interface Token {
  readonly kind: "word" | "string" | "number" | "(" | ")" | "," | "end" | "unknown";
  readonly text: string;
  readonly at: number;
}

interface Tokens {
  readonly source: string;
  peek(): Token;
  next(): Token;
}

const tokenPattern = /\s*(?:([A-Za-z]+)|'([^']*)'|"([^"]*)"|(-?\d+)|([(),])|(\S))/y;

function tokenize(source: string): Tokens {
  let at = 0;
  let ahead: Token | undefined;
  const read = (): Token => {
    tokenPattern.lastIndex = at;
    const match = tokenPattern.exec(source);
    if (!match) return { kind: "end", text: "the end", at: source.length };
    at = tokenPattern.lastIndex;
    const [whole, word, single, double, number, mark, unknown] = match;
    const start = at - whole.trimStart().length;
    if (word !== undefined) return { kind: "word", text: word, at: start };
    const string = single ?? double;
    if (string !== undefined) return { kind: "string", text: string, at: start };
    if (number !== undefined) return { kind: "number", text: number, at: start };
    if (mark !== undefined) return { kind: mark as "(" | ")" | ",", text: mark, at: start };
    return { kind: "unknown", text: unknown ?? "", at: start };
  };
  return {
    source,
    peek: () => (ahead ??= read()),
    next: () => {
      const token = ahead ?? read();
      ahead = undefined;
      return token;
    },
  };
}

function parseGate(tokens: Tokens): SignaturePolicy {
  const name = tokens.next();
  const gate = name.kind === "word" ? gates.get(name.text) : undefined;
  if (gate === undefined) throw unexpected(tokens.source, name, "AND(, OR( or OutOf(");
  expect(tokens, "(");
  const n = gate === "out-of" ? parseCount(tokens) : undefined;
  const rules: SignaturePolicy[] = [];
  do rules.push(parseRule(tokens));
  while (take(tokens, ","));
  const end = expect(tokens, ")");
  if (n !== undefined && (n < 0 || n > rules.length + 1)) {
    // One more than there are is allowed: a policy that nobody ever satisfies (policyparser.go, secondPass).
    throw at(tokens.source, end, `expected a number from 0 to ${rules.length + 1} in OutOf, found ${n}`);
  }
  return { type: "out-of", n: n ?? (gate === "and" ? rules.length : 1), rules };
}

const gates: ReadonlyMap<string, "and" | "or" | "out-of"> = new Map([
  ...["AND", "And", "and"].map((name) => [name, "and"] as const),
  ...["OR", "Or", "or"].map((name) => [name, "or"] as const),
  ...["OUTOF", "OutOf", "outof"].map((name) => [name, "out-of"] as const),
]);

function parseRule(tokens: Tokens): SignaturePolicy {
  if (tokens.peek().kind !== "string") return parseGate(tokens);
  const token = tokens.next();
  const [, mspId, role] = principalPattern.exec(token.text) ?? [];
  if (mspId === undefined || role === undefined) {
    throw unexpected(
      tokens.source,
      token,
      "an MSP ID with a role like 'Org1MSP.member' (or admin, client, peer, orderer)",
    );
  }
  return { type: "signed-by", principal: { mspId, role: role as PrincipalRole } };
}

function parseCount(tokens: Tokens): number {
  const token = tokens.next();
  if ((token.kind !== "number" && token.kind !== "string") || !/^-?\d+$/.test(token.text)) {
    throw unexpected(tokens.source, token, "how many have to sign");
  }
  expect(tokens, ",");
  return Number(token.text);
}

function take(tokens: Tokens, kind: Token["kind"]): boolean {
  if (tokens.peek().kind !== kind) return false;
  tokens.next();
  return true;
}

function expect(tokens: Tokens, kind: Token["kind"]): Token {
  const token = tokens.next();
  if (token.kind !== kind) throw unexpected(tokens.source, token, kind);
  return token;
}

function unexpected(source: string, token: Token, expected: string): FabricError {
  return at(source, token, `expected ${expected}, found ${token.kind === "end" ? "the end" : `"${token.text}"`}`);
}

function at(source: string, token: Token, message: string): FabricError {
  return new FabricError("usage", `${message}, at column ${token.at + 1} of the policy ${source}`, {
    hint: `a policy looks like AND('Org1MSP.member', OR('Org2MSP.peer', 'Org3MSP.admin')) or OutOf(2, 'Org1MSP.member', …)`,
  });
}
