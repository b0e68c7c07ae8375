import { createHash, X509Certificate, type KeyObject } from "node:crypto";
import { basename } from "node:path";
import type { IdentityFile } from "./identity-files.ts";
import { isCertificateBlock, pemBlocks, type PemBlock } from "./pem.ts";
import { isKeyBlock, keyOf, publicPoint } from "./private-key.ts";

/** Passphrases of an encrypted key, one after the other until one opens it. */
export type Passphrases = (file: string) => AsyncIterable<string> | Iterable<string>;

interface Pair {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
}

/** The certificate whose key was found, or what was found instead. */
export type KeySearch =
  | ({ readonly found: "pair" } & Pair)
  /** How many keys of other certificates there are. */
  | { readonly found: "others"; readonly keys: number }
  /** Encrypted keys that no passphrase has opened. */
  | { readonly found: "locked"; readonly files: readonly string[] };

/** The certificates in files, in their order; what is none is passed over. */
export function certificatesIn(files: readonly IdentityFile[]): readonly X509Certificate[] {
  return files.flatMap(({ text }) =>
    pemBlocks(text)
      .filter(isCertificateBlock)
      .flatMap(({ bytes }) => certificateOf(bytes) ?? []),
  );
}

function certificateOf(bytes: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Looks for a certificate's key by the key itself: a peer knows it by the public key's hash, whatever files are called (fabric-lib-go,
 * bccsp/sw/fileks.go). Of several certificates with a key the first that is good now, then the first. An encrypted key is asked for only
 * when no other is the right one; first the one that is called by the public key's hash.
 */
export async function findKey(
  certificates: readonly X509Certificate[],
  files: readonly IdentityFile[],
  passphrases: Passphrases,
  now: Date,
): Promise<KeySearch> {
  const blocks = files.flatMap(({ path, text }) =>
    pemBlocks(text)
      .filter(isKeyBlock)
      .map((block) => ({ path, block, key: keyOf(block) })),
  );
  const keys = blocks.flatMap(({ key }) => (typeof key === "object" ? [key] : []));
  const pair = firstPair(certificates, keys, now);
  if (pair) return { found: "pair", ...pair };
  const locked = blocks.filter(({ key }) => key === "locked");
  const called = new Set(certificates.map(identifierOf));
  const isCalled = ({ path }: (typeof locked)[number]) => called.has(basename(path).replace(/_sk$/, ""));
  const unopened: string[] = [];
  for (const { path, block } of [...locked.filter(isCalled), ...locked.filter((each) => !isCalled(each))]) {
    const key = await unlocked(block, passphrases(path));
    if (key === undefined) unopened.push(path);
    else keys.push(key);
    const opened = key && firstPair(certificates, [key], now);
    if (opened) return { found: "pair", ...opened };
  }
  return unopened.length > 0 ? { found: "locked", files: unopened } : { found: "others", keys: keys.length };
}

async function unlocked(block: PemBlock, passphrases: ReturnType<Passphrases>): Promise<KeyObject | undefined> {
  for await (const passphrase of passphrases) {
    const key = keyOf(block, passphrase);
    if (typeof key === "object") return key;
  }
  return undefined;
}

function firstPair(certificates: readonly X509Certificate[], keys: readonly KeyObject[], now: Date): Pair | undefined {
  const pairs = certificates.flatMap((certificate) => {
    const key = keys.find((one) => belongs(certificate, one));
    return key ? [{ certificate, key }] : [];
  });
  return pairs.find(({ certificate }) => certificate.validToDate > now) ?? pairs[0];
}

/** A certificate may have a public key that OpenSSL does not know. */
function belongs(certificate: X509Certificate, key: KeyObject): boolean {
  try {
    return certificate.checkPrivateKey(key);
  } catch {
    return false;
  }
}

/** The subject key identifier by which Fabric names a key's file; of EC keys alone. */
function identifierOf(certificate: X509Certificate): string | undefined {
  try {
    return createHash("sha256").update(publicPoint(certificate.publicKey)).digest("hex");
  } catch {
    return undefined;
  }
}
