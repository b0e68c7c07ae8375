/** What a wallet of Fabric's SDKs keeps of an identity. */
export type WalletEntry =
  | { readonly kind: "x509"; readonly mspId: string; readonly certificate: string; readonly privateKey: string }
  /** Of fabric-network 1.4 and fabric-client: the key is in the file NAME-priv beside it. */
  | { readonly kind: "x509-apart"; readonly mspId: string; readonly certificate: string; readonly keyName: string }
  /** The key is in a hardware module. */
  | { readonly kind: "hsm"; readonly mspId: string };

/**
 * Reads an entry of a file-system wallet: NAME.id of fabric-network 2 and of the Java and Go SDKs (credentials, mspId, type), or the file
 * in NAME's folder of fabric-network 1.4 (enrollment, mspid). Undefined for any other JSON.
 */
export function walletEntry(json: unknown): WalletEntry | undefined {
  const { type, credentials, mspId, mspid, enrollment } = fieldsOf(json);
  if (typeof mspId === "string") {
    if (type === "HSM-X.509") return { kind: "hsm", mspId };
    const { certificate, privateKey } = fieldsOf(credentials);
    if (typeof certificate !== "string" || typeof privateKey !== "string") return undefined;
    return { kind: "x509", mspId, certificate, privateKey };
  }
  const { signingIdentity: keyName, identity } = fieldsOf(enrollment);
  const { certificate } = fieldsOf(identity);
  if (typeof mspid !== "string" || typeof certificate !== "string" || typeof keyName !== "string") return undefined;
  return { kind: "x509-apart", mspId: mspid, certificate, keyName };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
