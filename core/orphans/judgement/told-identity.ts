import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { FabricError, givenByUser } from "../../error.ts";
import { checkMspId } from "../../fabric/identity/msp.ts";
import { newSigningIdentity, type SigningIdentity } from "../../fabric/identity/signing-identity.ts";

/** An administrator's identity from a folder of the user's, for peers that we did not deploy. */
export interface ToldIdentity {
  readonly identity: SigningIdentity;
  /** Of the organization's TLS authorities, PEM; empty when the folder has none. */
  readonly tlsRootCertificates: string;
}

/**
 * Reads `MSPID=FOLDER`, an MSP folder in Fabric's own layout (msp/configbuilder.go): signcerts, keystore, tlscacerts.
 * Throws `usage` for any other text, or when the folder is not an MSP folder.
 */
export async function readToldIdentity(told: string): Promise<ToldIdentity> {
  const [, mspId, folder] = /^([^=]+)=(.+)$/.exec(told) ?? [];
  if (mspId === undefined || folder === undefined) {
    throw new FabricError("usage", `expected an MSP ID and its administrator's folder, found "${told}"`, {
      hint: { setting: "identities", to: "Org3MSP=./organizations/org3/users/Admin@org3/msp" },
    });
  }
  checkMspId(mspId);
  const [[certificate], [privateKey], tlsRoots] = await Promise.all([
    contents(folder, "signcerts"),
    contents(folder, "keystore"),
    contents(folder, "tlscacerts"),
  ]);
  if (certificate === undefined || privateKey === undefined) {
    const missing = certificate === undefined ? "signcerts" : "keystore";
    throw new FabricError("usage", `expected a file in ${join(folder, missing)}, found none`, {
      hint: "an MSP folder of an administrator has signcerts and keystore",
    });
  }
  const identity = givenByUser(() => newSigningIdentity(mspId, { certificate, privateKey }));
  return { identity, tlsRootCertificates: tlsRoots.join("\n") };
}

async function contents(folder: string, part: string): Promise<readonly string[]> {
  const names = await readdir(join(folder, part)).catch(() => []);
  return Promise.all(
    names.toSorted((one, other) => (one < other ? -1 : 1)).map((name) => readFile(join(folder, part, name), "utf8")),
  );
}
