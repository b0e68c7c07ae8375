import { createSign, createVerify, type KeyObject } from "node:crypto";

/** Order of the P-256 group. Fabric accepts the lower of the two possible values of S only (bccsp/utils/ecdsa.go). */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** ECDSA over SHA-256, DER, S in the lower half. */
export function sign(message: Uint8Array, key: KeyObject): Buffer {
  const { r, s } = decode(createSign("sha256").update(message).sign(key));
  return encode(r, s > order / 2n ? order - s : s);
}

export function verify(message: Uint8Array, signature: Uint8Array, key: KeyObject): boolean {
  try {
    return (
      decode(Buffer.from(signature)).s <= order / 2n && createVerify("sha256").update(message).verify(key, signature)
    );
  } catch {
    return false;
  }
}

function decode(der: Buffer): { readonly r: bigint; readonly s: bigint } {
  const rLength = der[3] ?? 0;
  const rEnd = 4 + rLength;
  const sLength = der[rEnd + 1] ?? 0;
  if (der[0] !== 0x30 || der[2] !== 0x02 || der[rEnd] !== 0x02 || der.length !== rEnd + 2 + sLength) {
    throw new Error("failed unmarshalling signature");
  }
  return { r: toBigInt(der.subarray(4, rEnd)), s: toBigInt(der.subarray(rEnd + 2)) };
}

function encode(r: bigint, s: bigint): Buffer {
  const body = Buffer.concat([integer(r), integer(s)]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

function integer(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  const padded = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
  return Buffer.concat([Buffer.from([0x02, padded.length]), padded]);
}

function toBigInt(bytes: Buffer): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toString("hex")}`);
}
