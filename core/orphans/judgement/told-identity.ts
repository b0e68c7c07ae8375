import { asUsage, FabricError } from "../../error.ts";
import { readCertificateBundle, readFileIdentity, type FileIdentity } from "../../fabric/identity/file-identity.ts";
import type { Passphrases } from "../../fabric/identity/key-search.ts";
import { checkMspId } from "../../fabric/identity/msp.ts";
import type { Remedy } from "../../remedy.ts";

/** An administrator's identity from files of the user's, for peers that we did not deploy. */
export type ToldIdentity = FileIdentity;

/** Identities that the user names. */
export interface ToldFiles {
  /** `MSPID=PATH` each: an MSP folder, or an entry of a wallet. */
  readonly identities: readonly string[];
  /** `MSPID=FILE` each: certificates of TLS authorities that are not with the identity. */
  readonly tlsAuthorities: readonly string[];
}

/**
 * Reads the identities that the user names, one after the other: each may ask for a passphrase. Throws `usage` for any other text, and when
 * an identity cannot be used.
 */
export async function readToldIdentities(
  { identities, tlsAuthorities }: ToldFiles,
  read: { readonly passphrases: Passphrases; readonly now: Date },
): Promise<readonly ToldIdentity[]> {
  const places = identities.map((told) => placeOf(told, identityHint));
  const authorities = tlsAuthorities.map((told) => placeOf(told, { setting: "tlsAuthorities", to: "Org3MSP=FILE" }));
  const stranger = authorities.find(({ mspId }) => !places.some((place) => place.mspId === mspId));
  if (stranger) {
    throw new FabricError("usage", `expected an identity of ${stranger.mspId} with its TLS authorities, found none`, {
      hint: { setting: "identities", to: `${stranger.mspId}=FOLDER` },
    });
  }
  const found: ToldIdentity[] = [];
  for (const { mspId, path } of places) {
    const { identity, tlsRootCertificates } = await readFileIdentity(mspId, path, read).catch((error: unknown) => {
      throw asUsage(error);
    });
    const bundles: string[] = [];
    for (const authority of authorities) {
      if (authority.mspId === mspId) bundles.push(await readCertificateBundle(authority.path));
    }
    found.push({ identity, tlsRootCertificates: [tlsRootCertificates, ...bundles].join("") });
  }
  return found;
}

const identityHint: Remedy = { setting: "identities", to: "Org3MSP=./organizations/org3/users/Admin@org3/msp" };

function placeOf(told: string, hint: Remedy): { readonly mspId: string; readonly path: string } {
  const [, mspId, path] = /^([^=]+)=(.+)$/.exec(told) ?? [];
  if (mspId === undefined || path === undefined) {
    throw new FabricError("usage", `expected an MSP ID and where its files are, found "${told}"`, { hint });
  }
  checkMspId(mspId);
  return { mspId, path };
}
