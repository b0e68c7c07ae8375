import { KeyObject, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

export interface KeyPair {
  /** PEM. */
  readonly certificate: string;
  /** PEM, SEC 1 as Fabric writes it. */
  readonly key: string;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const tenYears = 10 * 365 * 24 * 3_600_000;

/** The authority that a peer makes for itself at every start, for its chaincode service and the chaincodes that dial it (common/crypto/tlsgen). */
export class CertificateAuthority {
  readonly #keys: webcrypto.CryptoKeyPair;
  readonly #certificate: x509.X509Certificate;

  private constructor(keys: webcrypto.CryptoKeyPair, certificate: x509.X509Certificate) {
    this.#keys = keys;
    this.#certificate = certificate;
  }

  static async create(now: Date): Promise<CertificateAuthority> {
    x509.cryptoProvider.set(webcrypto);
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: "CN=chaincode authority",
      notBefore: new Date(now.getTime() - 86_400_000),
      notAfter: new Date(now.getTime() + tenYears),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
      ],
    });
    return new CertificateAuthority(keys, certificate);
  }

  /** PEM. */
  get certificate(): string {
    return this.#certificate.toString("pem");
  }

  server(host: string, now: Date): Promise<KeyPair> {
    const type = /^[0-9.]+$|:/.test(host) ? "ip" : "dns";
    return this.#issue(now, x509.ExtendedKeyUsage.serverAuth, [
      new x509.SubjectAlternativeNameExtension([{ type, value: host }]),
    ]);
  }

  client(now: Date): Promise<KeyPair> {
    return this.#issue(now, x509.ExtendedKeyUsage.clientAuth, []);
  }

  async #issue(now: Date, usage: string, extensions: readonly x509.Extension[]): Promise<KeyPair> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: "CN=chaincode",
      issuer: this.#certificate.subject,
      notBefore: new Date(now.getTime() - 86_400_000),
      notAfter: new Date(now.getTime() + tenYears),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        ...extensions,
      ],
    });
    const key = KeyObject.from(keys.privateKey).export({ type: "sec1", format: "pem" });
    return { certificate: certificate.toString("pem"), key };
  }
}
