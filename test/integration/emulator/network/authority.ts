import { KeyObject, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

export interface KeyPair {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS 8. */
  readonly key: string;
}

export interface LeafOptions {
  readonly commonName: string;
  readonly unit?: string;
  /** Names for a TLS server; 127.0.0.1 and localhost are always among them. */
  readonly server?: boolean;
  readonly expired?: boolean;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const day = 86_400_000;

/** A certificate authority of a test network. */
export class Authority {
  readonly certificate: string;
  readonly #subject: string;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(certificate: x509.X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.certificate = certificate.toString("pem");
    this.#subject = certificate.subject;
    this.#keys = keys;
  }

  static async create(name: string): Promise<Authority> {
    x509.cryptoProvider.set(webcrypto);
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: `CN=${name}`,
      notBefore: new Date(Date.now() - 3 * day),
      notAfter: new Date(Date.now() + 365 * day),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new Authority(certificate, keys);
  }

  async issue({ commonName, unit, server = false, expired = false }: LeafOptions): Promise<KeyPair> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: unit === undefined ? `CN=${commonName}` : `CN=${commonName}, OU=${unit}`,
      issuer: this.#subject,
      notBefore: new Date(Date.now() - 2 * day),
      notAfter: new Date(Date.now() + (expired ? -day : 30 * day)),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        await x509.AuthorityKeyIdentifierExtension.create(this.#keys.publicKey),
        ...(server ? serverExtensions() : []),
      ],
    });
    return {
      certificate: certificate.toString("pem"),
      key: KeyObject.from(keys.privateKey).export({ type: "pkcs8", format: "pem" }),
    };
  }
}

function serverExtensions(): readonly x509.Extension[] {
  return [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
    new x509.SubjectAlternativeNameExtension([
      { type: "ip", value: "127.0.0.1" },
      { type: "dns", value: "localhost" },
    ]),
  ];
}
