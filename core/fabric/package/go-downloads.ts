import { join, relative, resolve } from "node:path";
import { FabricError } from "../../error.ts";
import { readFileIfAny } from "./chaincode-folder.ts";
import { describeModule, isFolderPath, replacementOf, type GoModFile, type GoModule } from "./go-module.ts";
import type { GoFile } from "./go-file.ts";
import type { GoWorkspace } from "./go-workspace.ts";

interface GoModuleFolder {
  readonly root: string;
  /** The module's own path. */
  readonly path: string;
  readonly module: GoModFile;
  readonly workspace: GoWorkspace | undefined;
  readonly hasVendor: boolean;
  readonly sources: readonly GoFile[];
}

interface GoDownloads {
  readonly downloads: readonly string[];
  readonly notices: readonly string[];
}

/** What the peer's build downloads of modules. Throws `usage` for those that it can find nowhere: folders outside the package. */
export async function goDownloads(folder: GoModuleFolder): Promise<GoDownloads> {
  const { root, module, workspace, hasVendor } = folder;
  checkImports(folder);
  if (hasVendor) return { downloads: [], notices: [] };
  const vendor = workspace ? "GOWORK=off go mod vendor" : "go mod vendor";
  for (const { old, by } of module.replace) {
    const isUsed = module.require.some((wanted) => replacementOf(module.replace, wanted) === by);
    if (!isUsed || !isFolderPath(by.path) || isInside(root, by.path)) continue;
    throw new FabricError(
      "usage",
      `expected modules that the peer's build finds, found ${describeModule(old)} replaced by ${by.path}, outside the module`,
      { hint: `${vendor}, in ${root}: it copies what the chaincode needs of it` },
    );
  }
  const sums = (await readFileIfAny(join(root, "go.sum")))?.toString("utf8") ?? "";
  const needed = module.require.flatMap((wanted) => replaced(module, wanted) ?? []);
  const used = needed.filter(({ path }) => workspace?.modules.has(path));
  const nowhere = used.find(({ path, version }) => !sums.includes(`${path} ${version}`));
  if (nowhere) throw inWorkspace(root, describeModule(nowhere), nowhere.path, workspace, "");
  const notices = used.map(
    (one) =>
      `${describeModule(one)} is downloaded, not taken from ${workspace?.modules.get(one.path)}: no go.work is packed`,
  );
  return { downloads: needed.map(describeModule), notices };
}

/** What is downloaded for a module; undefined for a folder in the package. */
function replaced({ replace }: GoModFile, wanted: GoModule): GoModule | undefined {
  const by = replacementOf(replace, wanted);
  if (by === undefined) return wanted;
  return isFolderPath(by.path) ? undefined : by;
}

const isInside = (root: string, path: string): boolean =>
  !/^(\.\.([\\/]|$)|\/|[A-Za-z]:)/.test(relative(root, resolve(root, path)));

/** Modules of the workspace that are imported, and that go.mod does not know: only a go.work finds them. */
function checkImports({ root, path: own, module, workspace, sources }: GoModuleFolder): void {
  if (workspace === undefined) return;
  const known = new Set([own, ...module.require.map(({ path }) => path)]);
  const all = [...known, ...workspace.modules.keys()];
  for (const { path, text } of sources) {
    if (path.startsWith("vendor/")) continue;
    const unknown = importsOf(text)
      .map((imported) => moduleOf(imported, all))
      .find((owner) => owner !== undefined && !known.has(owner));
    if (unknown !== undefined)
      throw inWorkspace(root, `${unknown}, which ${path} imports,`, unknown, workspace, `-require=${unknown}@v0.0.0 `);
  }
}

const importsOf = (text: string): readonly string[] =>
  [...text.matchAll(/^\s*(?:import\s+)?(?:[\w.]+\s+)?"([^"\n]+)"/gm)].map(([, found = ""]) => found);

/** Of several modules whose paths begin it, a package is of the longest (cmd/go/internal/modload/import.go). */
function moduleOf(imported: string, modules: readonly string[]): string | undefined {
  const owners = modules.filter((path) => imported === path || imported.startsWith(`${path}/`));
  return owners.toSorted((one, other) => other.length - one.length)[0];
}

function inWorkspace(root: string, what: string, path: string, workspace: GoWorkspace | undefined, require: string) {
  const folder = workspace?.modules.get(path) ?? "";
  const replacement = isFolderPath(folder) ? folder : `./${folder}`;
  return new FabricError(
    "usage",
    `expected modules that the peer's build finds, found ${what} only in the workspace of a go.work (${folder})`,
    { hint: `go mod edit ${require}-replace=${path}=${replacement} && GOWORK=off go mod vendor, in ${root}` },
  );
}
