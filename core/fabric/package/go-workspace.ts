import { dirname, join, relative, resolve, sep } from "node:path";
import { readFileIfAny } from "./chaincode-folder.ts";
import { readGoMod } from "./go-module.ts";

/** A go.work that Go reads for a module (go.dev/ref/mod#workspaces). */
export interface GoWorkspace {
  /** Its modules, but for the module itself: path -> folder, from the module's own. */
  readonly modules: ReadonlyMap<string, string>;
}

/** The workspace that a module's folder is in; undefined where there is none. One that does not use the module has nothing for it. */
export async function workspaceOf(root: string): Promise<GoWorkspace | undefined> {
  for (let folder = resolve(root); ; folder = dirname(folder)) {
    const text = await readFileIfAny(join(folder, "go.work"));
    if (text !== undefined) return usedBy(root, folder, readGoMod(text.toString("utf8")).use);
    if (dirname(folder) === folder) return undefined;
  }
}

async function usedBy(root: string, folder: string, use: readonly string[]): Promise<GoWorkspace> {
  const folders = use.map((used) => resolve(folder, used));
  if (!folders.includes(resolve(root))) return { modules: new Map() };
  const modules = new Map<string, string>();
  for (const used of folders) {
    if (used === resolve(root)) continue;
    const text = await readFileIfAny(join(used, "go.mod"));
    const path = text && readGoMod(text.toString("utf8")).module;
    if (path !== undefined) modules.set(path, relative(resolve(root), used).split(sep).join("/"));
  }
  return { modules };
}
