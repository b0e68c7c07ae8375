import type { X509Certificate } from "node:crypto";
import { dirname, join } from "node:path";
import { FabricError } from "../../error.ts";
import { certificatePem } from "./certificate.ts";
import { filesIn, kindOf, readIdentityFile, type IdentityFile } from "./identity-files.ts";
import { identityMaterial, inHardware, type IdentityMaterial } from "./identity-material.ts";
import { certificatesIn, findKey, type KeySearch, type Passphrases } from "./key-search.ts";
import { newSigningIdentity, type SigningIdentity } from "./signing-identity.ts";

/** An identity from files of the user's. */
export interface FileIdentity {
  readonly identity: SigningIdentity;
  /** Of the organization's TLS authorities, PEM; empty when there are none with it. */
  readonly tlsRootCertificates: string;
}

/**
 * Reads the identity of an organization at a path, in any form that `identityMaterial` knows, and checks it as a peer checks its own.
 * Throws `usage` when it cannot be used, `invalid` for a key of a kind that does not sign.
 */
export async function readFileIdentity(
  mspId: string,
  path: string,
  { passphrases, now }: { readonly passphrases: Passphrases; readonly now: Date },
): Promise<FileIdentity> {
  const material = await identityMaterial(path);
  if (material.mspId !== undefined && material.mspId !== mspId) {
    throw new FabricError("usage", `expected an identity of ${mspId} at ${path}, found one of ${material.mspId}`);
  }
  const { certificates, keys } = material;
  const found = certificatesIn(certificates.files ?? []);
  const [first] = found;
  if (!first) {
    throw new FabricError(
      "usage",
      `expected a certificate in PEM in ${certificates.where}, ${listed(certificates.files)}`,
    );
  }
  const search = await findKey(found, keys.files ?? [], passphrases, now);
  if (search.found !== "pair") throw await keyless(path, material, first, search);
  const { certificate, key } = search;
  checkEnd(certificate, certificates.where, now);
  checkIssuer(certificate, material);
  return {
    identity: newSigningIdentity(mspId, {
      certificate: certificatePem(certificate.raw),
      privateKey: key.export({ type: "pkcs8", format: "pem" }),
    }),
    tlsRootCertificates: certificateBundle(material.tlsAuthorities),
  };
}

/** The certificates of a file or of a folder's files, as one PEM text. Throws `usage` when there is none. */
export async function readCertificateBundle(path: string): Promise<string> {
  const files = await filesIn(path);
  const bundle = certificateBundle(files ?? []);
  if (bundle !== "") return bundle;
  throw new FabricError("usage", `expected certificates in PEM in ${path}, ${listed(files)}`);
}

const certificateBundle = (files: readonly IdentityFile[]): string =>
  certificatesIn(files)
    .map(({ raw }) => certificatePem(raw))
    .join("");

/** A peer refuses such an identity of its own (msp/mspimplsetup.go, setupSigningIdentity), and other peers what it signs. */
function checkEnd(certificate: X509Certificate, where: string, now: Date): void {
  if (certificate.validToDate > now) return;
  const end = certificate.validToDate.toISOString();
  throw new FabricError(
    "usage",
    `expected a certificate that is good now in ${where}, found one that ended on ${end}`,
    {
      hint: "renew it at its authority (fabric-ca-client reenroll), or name another administrator",
    },
  );
}

/** A peer refuses an identity that no authority in its folder has issued (msp/mspimplvalidate.go). */
function checkIssuer(certificate: X509Certificate, { certificates, authorities }: IdentityMaterial): void {
  const known = certificatesIn(authorities);
  if (known.length === 0 || known.some((authority) => hasIssued(authority, certificate))) return;
  throw new FabricError(
    "usage",
    `expected a certificate in ${certificates.where} that an authority in cacerts or intermediatecerts has issued, ` +
      `found one of ${commonName(certificate.issuer)}`,
    { hint: "is it the certificate of another organization, or is its authority missing from intermediatecerts?" },
  );
}

function hasIssued(authority: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.verify(authority.publicKey);
  } catch {
    return false;
  }
}

/** Why there is no key. */
async function keyless(
  path: string,
  { keys }: IdentityMaterial,
  certificate: X509Certificate,
  search: Exclude<KeySearch, { found: "pair" }>,
): Promise<FabricError> {
  if (search.found === "locked") {
    return new FabricError(
      "usage",
      `expected the passphrase of ${search.files.join(" or ")}, found none that opens it`,
    );
  }
  const configuration = await hardwareConfiguration(path);
  if (configuration !== undefined) return inHardware(configuration);
  const found =
    search.keys > 0
      ? `found ${search.keys === 1 ? "one of another certificate" : `${search.keys} of other certificates`}`
      : listed(keys.files);
  const isUnread = keys.files?.some(({ unread }) => unread !== undefined) ?? false;
  return new FabricError(
    "usage",
    `expected the private key of ${commonName(certificate.subject)} in ${keys.where}, ${found}`,
    {
      hint: isUnread
        ? "who may read the key has to run this, as what ran as root may have made it"
        : "the key is made where the identity is enrolled, and lies in keystore there; one in a hardware module cannot be used",
    },
  );
}

/** A configuration that leaves keys in a hardware module (BCCSP: Default: PKCS11), of the MSP, fabric-ca-client or a peer; undefined for none. */
async function hardwareConfiguration(path: string): Promise<string | undefined> {
  const names = ["config.yaml", "fabric-ca-client-config.yaml", "core.yaml"];
  for (const file of [path, join(path, "msp"), dirname(path)].flatMap((folder) =>
    names.map((name) => join(folder, name)),
  )) {
    if ((await kindOf(file)) !== "file") continue;
    const text = await readIdentityFile(file).then(
      ({ text }) => text,
      () => "",
    );
    if (/^[ \t]*default:[ \t]*["']?PKCS11\b/im.test(text)) return file;
  }
  return undefined;
}

function listed(files: readonly IdentityFile[] | undefined): string {
  if (files === undefined) return "found no such file or folder";
  const unread = files.find((file) => file.unread !== undefined)?.unread;
  return unread === undefined ? "found none" : `found none that can be read (${unread})`;
}

/** "Admin@org1.example.com", of the lines of a name. */
const commonName = (name: string): string => /^CN=(.*)$/m.exec(name)?.[1] ?? "its certificate";
