import { X509Certificate } from "node:crypto";
import { msp } from "@hyperledger/fabric-protos";
import { certificationChain, organizationalUnits, same, validCertificationChain } from "./certificate.ts";
import { verify } from "./signature.ts";

export type Role = "client" | "peer" | "admin" | "orderer";

/** An organizational unit that stands for a role, and the CA that may give it (any CA of the MSP when absent). */
export interface RoleUnit {
  readonly unit: string;
  readonly certifier: X509Certificate | undefined;
}

export interface MspDefinition {
  readonly name: string;
  readonly roots: readonly X509Certificate[];
  readonly intermediates: readonly X509Certificate[];
  readonly admins: readonly X509Certificate[];
  /** Absent when NodeOUs are off. */
  readonly roleUnits: Readonly<Partial<Record<Role, RoleUnit>>> | undefined;
  /** PEM. */
  readonly tlsRoots: readonly string[];
  readonly tlsIntermediates: readonly string[];
}

/** Somebody known by a certificate of an MSP. Not validated until `validate` was called. */
export interface Identity {
  readonly mspId: string;
  readonly certificate: X509Certificate;
  /** The serialized form it came in. */
  readonly bytes: Uint8Array;
}

/** Membership of one organization, as in Fabric's msp/mspimpl.go (version 1.4.3, what channels of capability V2_0 use). */
export class Msp {
  readonly definition: MspDefinition;
  readonly #validated = new Map<string, string | undefined>();

  constructor(definition: MspDefinition) {
    this.definition = definition;
  }

  get name(): string {
    return this.definition.name;
  }

  /** Throws when the identity is not a valid member. */
  validate(identity: Identity): void {
    const key = identity.certificate.fingerprint256;
    if (!this.#validated.has(key)) {
      this.#validated.set(key, this.#problemOf(identity));
    }
    const problem = this.#validated.get(key);
    if (problem !== undefined) {
      throw new Error(problem);
    }
  }

  /** Whether the identity is what the principal asks for. */
  satisfies(identity: Identity, principal: msp.MSPPrincipal): boolean {
    try {
      this.#checkPrincipal(identity, principal);
      return true;
    } catch {
      return false;
    }
  }

  /** As `satisfies`, throwing Fabric's text (msp/mspimpl.go) when not. */
  checkRole(identity: Identity, role: Role | "member"): void {
    if (identity.mspId !== this.name) {
      throw new Error(`the identity is a member of a different MSP (expected ${this.name}, got ${identity.mspId})`);
    }
    if (role === "admin") {
      return this.#checkAdmin(identity);
    }
    this.validate(identity);
    if (role !== "member" && !this.#roles(identity).includes(role)) {
      throw new Error(
        `The identity is not a [${role.toUpperCase()}] under this MSP [${this.name}]: The identity does not contain OU [${role.toUpperCase()}], MSP: [${this.name}]`,
      );
    }
  }

  #checkAdmin(identity: Identity): void {
    if (this.definition.admins.some((admin) => same(admin, identity.certificate))) {
      return;
    }
    this.validate(identity);
    if (!this.#roles(identity).includes("admin")) {
      throw new Error(
        `The identity is not an admin under this MSP [${this.name}]: The identity does not contain OU [ADMIN], MSP: [${this.name}]`,
      );
    }
  }

  #checkPrincipal(identity: Identity, principal: msp.MSPPrincipal): void {
    const bytes = principal.getPrincipal_asU8();
    switch (principal.getPrincipalClassification()) {
      case msp.MSPPrincipal.Classification.ROLE: {
        const wanted = msp.MSPRole.deserializeBinary(bytes);
        if (wanted.getMspIdentifier() !== this.name) {
          throw new Error("the identity is a member of a different MSP");
        }
        return this.checkRole(identity, roleNames[wanted.getRole()] ?? "member");
      }
      case msp.MSPPrincipal.Classification.IDENTITY:
        if (certificateOf(bytes)?.fingerprint256 !== identity.certificate.fingerprint256) {
          throw new Error("The identities do not match");
        }
        return this.validate(identity);
      case msp.MSPPrincipal.Classification.ORGANIZATION_UNIT: {
        const wanted = msp.OrganizationUnit.deserializeBinary(bytes);
        this.validate(identity);
        if (
          wanted.getMspIdentifier() !== this.name ||
          !organizationalUnits(identity.certificate).includes(wanted.getOrganizationalUnitIdentifier())
        ) {
          throw new Error("The identities do not match");
        }
        return;
      }
      default:
        throw new Error(`invalid principal type ${principal.getPrincipalClassification()}`);
    }
  }

  #problemOf(identity: Identity): string | undefined {
    const { roots, intermediates, roleUnits } = this.definition;
    if (identity.certificate.ca) {
      return "An X509 certificate with Basic Constraint: Certificate Authority equals true cannot be used as an identity";
    }
    try {
      validCertificationChain(identity.certificate, roots, intermediates);
    } catch (error) {
      return `could not obtain certification chain: the supplied identity is not valid: ${(error as Error).message}`;
    }
    if (roleUnits === undefined) {
      return undefined;
    }
    return this.#problemOfRoles(identity);
  }

  #problemOfRoles(identity: Identity): string | undefined {
    const units = `[${organizationalUnits(identity.certificate).join(" ")}], MSP: [${this.name}]`;
    switch (this.#roles(identity).length) {
      case 0:
        return `could not validate identity's OUs: the identity does not have an OU that resolves to client, peer, orderer, or admin role. OUs: ${units}`;
      case 1:
        return undefined;
      default:
        return `could not validate identity's OUs: the identity must have a client, a peer, an orderer, or an admin OU role to be valid, not a combination of them. OUs: ${units}`;
    }
  }

  #roles(identity: Identity): readonly Role[] {
    const units = organizationalUnits(identity.certificate);
    const chain = certificationChain(identity.certificate, this.definition.roots, this.definition.intermediates);
    return Object.entries(this.definition.roleUnits ?? {})
      .filter(([, { unit, certifier }]) => {
        const certified = certifier === undefined || chain.slice(1).some((ca) => same(ca, certifier));
        return units.includes(unit) && certified;
      })
      .map(([role]) => role as Role);
  }
}

const roleNames: Readonly<Record<number, Role | "member">> = {
  [msp.MSPRole.MSPRoleType.MEMBER]: "member",
  [msp.MSPRole.MSPRoleType.ADMIN]: "admin",
  [msp.MSPRole.MSPRoleType.CLIENT]: "client",
  [msp.MSPRole.MSPRoleType.PEER]: "peer",
  [msp.MSPRole.MSPRoleType.ORDERER]: "orderer",
};

/** The MSPs that a channel, or a node on its own, knows. */
export class MspManager {
  readonly #msps: ReadonlyMap<string, Msp>;

  constructor(msps: readonly Msp[]) {
    this.#msps = new Map(msps.map((one) => [one.name, one]));
  }

  all(): readonly Msp[] {
    return [...this.#msps.values()];
  }

  get(name: string): Msp | undefined {
    return this.#msps.get(name);
  }

  /** Reads a serialized identity; throws when it is malformed or of no MSP known here: one that another authority made is malformed, too (msp/mspimpl.go, sanitizeCert). */
  deserialize(bytes: Uint8Array): Identity {
    const serialized = msp.SerializedIdentity.deserializeBinary(bytes);
    const mspId = serialized.getMspid();
    const definition = this.#msps.get(mspId)?.definition;
    if (definition === undefined) {
      throw new Error(`MSP ${mspId} is not defined on channel`);
    }
    const certificate = new X509Certificate(Buffer.from(serialized.getIdBytes_asU8()));
    validCertificationChain(certificate, definition.roots, definition.intermediates);
    return { mspId, certificate, bytes };
  }

  validate(identity: Identity): void {
    this.#msps.get(identity.mspId)?.validate(identity);
  }

  satisfies(identity: Identity, principal: msp.MSPPrincipal): boolean {
    return this.#msps.get(identity.mspId)?.satisfies(identity, principal) ?? false;
  }

  /** Throws unless `signature` over `message` was made by the holder of the serialized identity. */
  verify(identity: Identity, message: Uint8Array, signature: Uint8Array): void {
    if (!verify(message, signature, identity.certificate.publicKey)) {
      throw new Error("The signature is invalid");
    }
  }
}

/** The certificate of a serialized identity, of whatever MSP; undefined when it holds none. */
export function certificateOf(serializedIdentity: Uint8Array): X509Certificate | undefined {
  try {
    const serialized = msp.SerializedIdentity.deserializeBinary(serializedIdentity);
    return new X509Certificate(Buffer.from(serialized.getIdBytes_asU8()));
  } catch {
    return undefined;
  }
}
