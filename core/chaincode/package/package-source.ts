import { readFile, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { onceEach } from "../../engine/once.ts";
import { asUsage, FabricError, LostConnection, messageOf } from "../../error.ts";
import { joined, type Remedy } from "../../remedy.ts";
import {
  checkPackageContent,
  packChaincode,
  readChaincodePackage,
  type ChaincodePackage,
} from "../../fabric/package/chaincode-package.ts";
import { readChaincodeSource, type SourceOptions } from "../../fabric/package/chaincode-source.ts";
import type { Bundle } from "../../fabric/package/node-source.ts";
import type { LeftOut } from "../../fabric/package/sieve.ts";
import type { ChaincodeSource } from "../../fabric/package/source-files.ts";
import { languageOf } from "../../fabric/package/source-language.ts";
import { installedChaincodes, installedPackage } from "../../fabric/chaincode/lifecycle.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { reachPeer } from "../../network/session/reach.ts";
import type { FabricNode } from "../../network/resources/nodes.ts";
import type { ArchiveEntry } from "../../fabric/package/tarball.ts";
import { bundlePlan, emptyBundle, withBundle, type BundleOptions, type BundlePlan } from "./npm-bundle.ts";
import type { PackageToDeploy } from "../deployment/deployment.ts";

/** What a user says about how a package comes to be. */
export interface PreparationOptions extends Omit<SourceOptions, "bundled">, BundleOptions {
  /** Refuse what the peer's build would have to download. */
  readonly offline?: boolean | undefined;
}

/** A package, and what there is to say about it. */
export interface PreparedPackage {
  readonly pkg: ChaincodePackage;
  /** What is in its code. */
  readonly entries: readonly ArchiveEntry[];
  /** In sentences. */
  readonly notices: readonly Remedy[];
  /** What is in the folder, and not in the package. */
  readonly leftOut: readonly LeftOut[];
}

/**
 * A package, with its content, from what the user names: a folder of source code, or a package that is ready. Throws `usage`; with
 * `offline` also when the peer's build would have to download something.
 */
export async function preparePackage(
  path: string,
  label: string,
  options: PreparationOptions = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<PreparedPackage> {
  if (await isFolder(path)) return fromFolder(path, label, options, signal);
  if (isPackageFile(path)) {
    const given = givenForFolders(options);
    if (given !== undefined)
      throw new FabricError("usage", `expected ${given} with a folder, found the package ${basename(resolve(path))}`, {
        hint: "what is in a package is decided; name the folder that it was made of",
      });
    try {
      const pkg = await readChaincodePackage(await contentOf(path));
      return { pkg, entries: await checkPackageContent(pkg), notices: [], leftOut: [] };
    } catch (error) {
      throw asUsage(error);
    }
  }
  throw new FabricError(
    "usage",
    `expected a folder or a package (.tar.gz), found the file ${basename(resolve(path))}`,
    {
      hint: "name the folder that has package.json, go.mod, pom.xml or build.gradle",
    },
  );
}

/** Throws `usage` as `preparePackage` would, as far as that is known before anything is installed for a bundle. */
export async function checkSource(path: string, label: string, options: PreparationOptions): Promise<void> {
  if (!(await isFolder(path))) return void (await preparePackage(path, label, options));
  const plan = await planOf(path, { ...options, notice: undefined });
  if (plan) await readChaincodeSource(path, { ...sourceOptions(options), bundled: emptyBundle(path) });
  else await preparePackage(path, label, { ...options, bundle: false });
}

function givenForFolders({ include, language, bundle }: PreparationOptions): string | undefined {
  if (include !== undefined) return "--include";
  if (language !== undefined) return "--language";
  if (bundle === undefined) return undefined;
  return bundle ? "--bundle" : "--no-bundle";
}

const sourceOptions = ({ include, language }: PreparationOptions): SourceOptions => ({ include, language });

/** A bundle is one of Node chaincode. */
async function planOf(path: string, options: PreparationOptions): Promise<BundlePlan | undefined> {
  const { language } = await languageOf(path, options.language);
  if (language === "node") return bundlePlan(path, options);
  if (options.bundle !== true) return undefined;
  throw new FabricError(
    "usage",
    `expected --bundle with a folder of Node chaincode, found ${path}, in another language`,
  );
}

async function fromFolder(
  path: string,
  label: string,
  options: PreparationOptions,
  signal: AbortSignal,
): Promise<PreparedPackage> {
  const plan = await planOf(path, options);
  const bundled = plan && (await fromBundle(path, options, plan, signal));
  const source = bundled ?? (await readChaincodeSource(path, sourceOptions(options)));
  return packed(path, label, source, options.offline ?? false);
}

async function fromBundle(path: string, options: PreparationOptions, plan: BundlePlan, signal: AbortSignal) {
  // What is wrong with the folder itself is told before npm is waited for.
  await readChaincodeSource(path, { ...sourceOptions(options), bundled: emptyBundle(path) });
  const read = (bundled: Bundle) => readChaincodeSource(path, { ...sourceOptions(options), bundled });
  return withBundle(plan, read, options.notice, signal);
}

async function packed(
  path: string,
  label: string,
  source: ChaincodeSource,
  offline: boolean,
): Promise<PreparedPackage> {
  const { language, downloads, notices, leftOut } = source;
  if (offline && downloads.length > 0) {
    throw new FabricError(
      "usage",
      `expected everything that ${path} needs in the package, found no ${listed(downloads)}`,
      {
        hint: source.withoutNetwork,
      },
    );
  }
  const pkg = await packChaincode({ path: source.path, type: language, label }, source.files);
  const build =
    downloads.length > 0
      ? [joined([`the peer's build downloads ${listed(downloads)}; without a network: `, source.withoutNetwork])]
      : [];
  const entries = source.files.map(({ name, content }) => ({ name, kind: "file", size: content.length, mode: 0o644 }));
  return { pkg, entries, notices: [...notices, ...build], leftOut };
}

/** Whether a path that is no folder names a package. A package has its label already. */
export const isPackageFile = (path: string): boolean => /\.(tar\.gz|tgz)$/.test(path);

/** The default label of a package: the folder's name, in the letters that Fabric takes. */
export function labelOf(path: string): string {
  const name = basename(resolve(path)).replace(/\.(tar\.gz|tgz)$/, "");
  return name.replaceAll(/[^a-zA-Z0-9_.+-]/g, "-").replace(/^[^a-zA-Z0-9]+/, "") || "chaincode";
}

/** Names, but not hundreds of them. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

/** A package that peers have: asked of one after another when somebody needs its bytes. */
export function packageOnPeers(network: OpenNetwork, id: string, peers: readonly FabricNode[]): PackageToDeploy {
  const once = onceEach<ChaincodePackage>();
  const find = async (signal: AbortSignal): Promise<ChaincodePackage> => {
    const failures: unknown[] = [];
    for (const node of peers) {
      try {
        const bytes = await installedPackage(await reachPeer(network, node, signal), id);
        if (bytes) return await readChaincodePackage(bytes);
      } catch (error) {
        failures.push(error);
      }
    }
    const lost = failures.find((failure) => failure instanceof LostConnection);
    if (lost) throw lost;
    const because = failures.length === 0 ? "none has it" : failures.map(messageOf).join("; ");
    throw new FabricError("not-found", `expected a peer that has the package ${id}: ${because}`, {
      hint: ["name its source with ", { setting: "path" }],
      cause: failures[0],
    });
  };
  return {
    id,
    type: undefined,
    load: (signal) => once(id, () => find(signal)),
  };
}

/** Throws `usage` when all these peers answer and none has a package of this ID. A peer that does not answer may have it. */
export async function checkInstalled(
  network: OpenNetwork,
  id: string,
  peers: readonly FabricNode[],
  signal: AbortSignal,
): Promise<void> {
  const answers = await Promise.allSettled(
    peers.map(async (node) => {
      return installedChaincodes(await reachPeer(network, node, signal));
    }),
  );
  signal.throwIfAborted();
  if (answers.some(({ status }) => status === "rejected")) return;
  const installed = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  const ids = [...new Set(installed.map(({ packageId }) => packageId))].sort();
  if (ids.includes(id)) return;
  throw new FabricError(
    "usage",
    `expected a package that a peer has installed (${listed(ids) || "none"}), found ${id}`,
    { hint: ["name its source with ", { setting: "path" }] },
  );
}

async function contentOf(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new FabricError("usage", `cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw new FabricError("usage", `cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}
