import { basename, dirname, join } from "node:path";
import { FabricError } from "../../error.ts";
import { filesIn, kindOf, readIdentityFile, type IdentityFile } from "./identity-files.ts";
import { walletEntry, type WalletEntry } from "./wallet.ts";

/** Files, and where they are or were expected. */
interface Place {
  readonly where: string;
  /** Undefined when there is no such place. */
  readonly files: readonly IdentityFile[] | undefined;
}

/** What an identity is made of, in whatever form it lies about. */
export interface IdentityMaterial {
  /** Of the identity; what it was issued by may follow in the same file. */
  readonly certificates: Place;
  readonly keys: Place;
  /** Certificates of the authorities that may have issued it; empty when they are not with it. */
  readonly authorities: readonly IdentityFile[];
  /** Certificates of the organization's TLS authorities. */
  readonly tlsAuthorities: readonly IdentityFile[];
  /** As a wallet says it. */
  readonly mspId?: string;
}

/**
 * Finds the identity at a path: an MSP folder in Fabric's own layout (msp/configbuilder.go), or the folder above it, as cryptogen and
 * fabric-ca-client make them; the keys of a Secret that was mounted; an entry of a wallet of Fabric's SDKs, or its folder; or one file
 * with certificate and key. Throws `usage` when there is none.
 */
export async function identityMaterial(path: string): Promise<IdentityMaterial> {
  switch (await kindOf(path)) {
    case "file":
      return fromFile(await readIdentityFile(path));
    case "folder":
      return (await fromMspFolder(path)) ?? (await fromMspFolder(join(path, "msp"))) ?? fromOtherFolder(path);
    case undefined:
      throw new FabricError("usage", `expected an MSP folder or an entry of a wallet at ${path}, found nothing`);
  }
}

/** Names of an MSP's parts: Fabric's own, and those of a Secret's keys, which cannot be folders. */
const layouts = [
  { signcerts: "signcerts", keystore: "keystore", cacerts: "cacerts", tlscacerts: "tlscacerts" },
  { signcerts: "msp-cert.pem", keystore: "msp-key.pem", cacerts: "msp-ca.pem", tlscacerts: "msp-tlsca.pem" },
  { signcerts: "cert.pem", keystore: "key.pem", cacerts: "ca.pem", tlscacerts: "tlsca.pem" },
] as const;

async function fromMspFolder(folder: string): Promise<IdentityMaterial | undefined> {
  for (const { signcerts, keystore, cacerts, tlscacerts } of layouts) {
    const place = async (part: string): Promise<Place> => ({
      where: join(folder, part),
      files: await filesIn(join(folder, part)),
    });
    const certificates = await place(signcerts);
    if (certificates.files === undefined) continue;
    const [keys, roots, intermediates, tlsRoots, tlsIntermediates] = [
      await place(keystore),
      await place(cacerts),
      await place("intermediatecerts"),
      await place(tlscacerts),
      await place("tlsintermediatecerts"),
    ];
    return {
      certificates,
      keys,
      // Without a root Fabric has no MSP: who left it out does not want it checked.
      authorities: roots.files ? [...roots.files, ...(intermediates.files ?? [])] : [],
      tlsAuthorities: [...(tlsRoots.files ?? []), ...(tlsIntermediates.files ?? [])],
    };
  }
  return undefined;
}

async function fromFile(file: IdentityFile): Promise<IdentityMaterial> {
  const entry = walletEntry(parsed(file.text));
  if (entry) return fromWallet(file, entry);
  const place = { where: file.path, files: [file] };
  return { certificates: place, keys: place, authorities: [], tlsAuthorities: [] };
}

async function fromWallet(file: IdentityFile, entry: WalletEntry): Promise<IdentityMaterial> {
  const { path } = file;
  if (entry.kind === "hsm") throw inHardware(path);
  const keys =
    entry.kind === "x509"
      ? { where: path, files: [{ path, text: entry.privateKey }] }
      : await keyApart(dirname(path), entry.keyName);
  return {
    certificates: { where: path, files: [{ path, text: entry.certificate }] },
    keys,
    authorities: [],
    tlsAuthorities: [],
    mspId: entry.mspId,
  };
}

async function keyApart(folder: string, name: string): Promise<Place> {
  const where = join(folder, `${basename(name)}-priv`);
  return { where, files: (await kindOf(where)) === "file" ? [await readIdentityFile(where)] : undefined };
}

async function fromOtherFolder(folder: string): Promise<IdentityMaterial> {
  const files = (await filesIn(folder)) ?? [];
  const entries = files.flatMap((file) => {
    const entry = walletEntry(parsed(file.text));
    return entry ? [{ file, entry }] : [];
  });
  const [only, ...others] = entries;
  if (only && others.length === 0) return fromWallet(only.file, only.entry);
  if (only) {
    const names = entries.map(({ file }) => basename(file.path)).join(", ");
    throw new FabricError("usage", `expected one identity in ${folder}, found a wallet of several: ${names}`, {
      hint: `name the file, as ${only.file.path}`,
    });
  }
  throw new FabricError("usage", `expected signcerts and keystore in ${folder}, ${await foundIn(folder, files)}`, {
    hint: "an administrator's MSP folder has both, as users/Admin@org1.example.com/msp; or name an entry of a wallet",
  });
}

async function foundIn(folder: string, files: readonly IdentityFile[]): Promise<string> {
  if ((await kindOf(join(folder, "cacerts"))) !== undefined)
    return "found the MSP of an organization, which has no keys";
  const names = files.slice(0, 5).map(({ path }) => basename(path));
  return names.length === 0 ? "found no files" : `found ${names.join(", ")}${files.length > 5 ? ", …" : ""}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ""));
  } catch {
    return undefined;
  }
}

/** Throws `usage` for a key in a hardware module. */
export function inHardware(path: string): FabricError {
  return new FabricError(
    "usage",
    `expected the private key in a file, found that ${path} leaves it in a hardware module`,
    {
      hint: "a key that cannot leave its module (PKCS#11) cannot be used from here: name an administrator whose key is a file",
    },
  );
}
