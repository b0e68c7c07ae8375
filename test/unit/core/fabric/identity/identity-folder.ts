import { verify, X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { msp } from "@hyperledger/fabric-protos";
import { afterAll, expect } from "vitest";
import { FabricError } from "../../../../../core/error.ts";
import {
  createCertificateAuthority,
  issueEnrolmentCertificate,
} from "../../../../../core/fabric/identity/certificate-authority.ts";
import { readFileIdentity } from "../../../../../core/fabric/identity/file-identity.ts";
import { localMsp } from "../../../../../core/fabric/identity/msp.ts";

export const now = new Date("2026-03-01T12:00:00Z");
export const work = mkdtempSync(join(tmpdir(), "identity-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

export const authority = await createCertificateAuthority({ commonName: "ca.org1", organization: "Org1", now });
export const other = await createCertificateAuthority({ commonName: "ca.org2", organization: "Org2", now });
export const admin = await issueEnrolmentCertificate(authority, { commonName: "Admin@org1", role: "admin", now });

let folders = 0;
/** Files below a new folder. A content `-> x` is a link to x. */
export function folderOf(files: Readonly<Record<string, string | Buffer>>): string {
  folders += 1;
  const folder = join(work, String(folders));
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    const target = typeof content === "string" ? /^-> (.+)$/.exec(content)?.[1] : undefined;
    if (target === undefined) writeFileSync(path, content);
    else symlinkSync(target, path);
  }
  return folder;
}

/** The files of an MSP folder, as cryptogen makes them. */
export const cryptogen = (): Record<string, string> => ({
  ...localMsp({ identity: admin, rootCertificate: authority.certificate, tlsRootCertificate: authority.certificate }),
});

export const read = (path: string, passphrases: readonly string[] = [], asked: string[] = [], at = now) =>
  readFileIdentity("Org1MSP", path, {
    passphrases: (file) => {
      asked.push(basename(file));
      return passphrases;
    },
    now: at,
  });

export const failure = async (reading: Promise<unknown>): Promise<FabricError> => {
  const error = await reading.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof FabricError) return error;
  throw new Error("expected a FabricError", { cause: error });
};

/** The certificate that an identity's messages carry, and whether what it signs is its own. */
export async function signs(path: string, passphrases?: readonly string[]): Promise<string> {
  const { identity } = await read(path, passphrases);
  const sent = msp.SerializedIdentity.deserializeBinary(identity.creator);
  const pem = Buffer.from(sent.getIdBytes_asU8()).toString();
  const message = Buffer.from("message");
  const { publicKey } = new X509Certificate(pem);
  const algorithm = publicKey.asymmetricKeyType === "ed25519" ? null : "sha256";
  expect(verify(algorithm, message, publicKey, await identity.sign(message))).toBe(true);
  expect(sent.getMspid()).toBe("Org1MSP");
  expect(Buffer.from(identity.gateway.identity.credentials).toString()).toBe(pem);
  return pem;
}
