import { readFile } from "node:fs/promises";
import { join, posix, relative, resolve, sep } from "node:path";
import { FabricError } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import { type FolderFile, folderFiles, readFileIfAny } from "./chaincode-folder.ts";
import { isMainPackage, packageOf, type GoFile } from "./go-file.ts";
import { embedsOf, isEmbedded, type GoEmbed } from "./go-embed.ts";
import { goModulePath, readGoMod } from "./go-module.ts";
import { goDownloads } from "./go-downloads.ts";
import { checkVendored } from "./go-vendor.ts";
import { workspaceOf } from "./go-workspace.ts";
import { ignoreFileJudge } from "./ignore-rules.ts";
import { nameJudge } from "./name-rules.ts";
import type { SecretFiles } from "./secret-files.ts";
import { isGoServer, serverRefused } from "./server-program.ts";
import { describeLeftOut, newSieve, whyLeftOut, type Judge, type LeftOut } from "./sieve.ts";
import { archiveFiles, ignoredNotices, secretJudge, type ChaincodeSource } from "./source-files.ts";

/** core/chaincode/platforms/golang/platform.go: the whole module, and the import path of what to build in it. */
export async function goSource(root: string, folder: string, secrets: SecretFiles): Promise<ChaincodeSource> {
  const inside = relative(root, resolve(folder)).split(sep).join("/");
  const ignored = await ignoreFiles(root, folder, inside);
  const metadata = posix.join(inside, "META-INF");
  const sources = await goFiles(root, nameJudge({ language: "golang", metadata }, ignored));
  const embeds = sources.flatMap(({ path, text }) => embedsOf(path, text));
  const needed = (path: string, kind: "file" | "folder") => embeds.some((embed) => isEmbedded(embed, path, kind));
  // Only "go mod vendor" writes this file: without it, the files in vendor are the user's own.
  const isVendored = (await readFileIfAny(join(root, "vendor/modules.txt"))) !== undefined;
  const sieve = newSieve([
    nameJudge({ language: "golang", metadata, needed }, ignored),
    secretJudge(secrets, isVendored ? /^vendor\// : undefined),
  ]);
  const found = await folderFiles(root, sieve.takes);
  const leftOut = sieve.leftOut();
  const module = readGoMod(await readFile(join(root, "go.mod"), "utf8"));
  const path = goModulePath(module, join(root, "go.mod"));
  const workspace = await workspaceOf(root);
  const withoutNetwork: Remedy = workspace ? "GOWORK=off go mod vendor, in the folder" : "go mod vendor, in the folder";
  // Where there is a vendor folder a peer builds with it (platform.go, buildScript).
  const hasVendor = found.some((file) => file.path.startsWith("vendor/"));
  if (hasVendor) checkVendored(module, await vendoredModules(found), root, workspace !== undefined);
  checkMainPackage(sources, leftOut, inside, folder);
  checkEmbeds(embeds, found, leftOut);
  const { downloads, notices } = await goDownloads({ root, path, module, workspace, hasVendor, sources });
  return {
    language: "golang",
    path: posix.join(path, inside),
    files: await archiveFiles(found, metadata),
    notices: [...ignoredNotices(leftOut), ...notices],
    downloads,
    withoutNetwork,
    leftOut,
  };
}

/** Of the module, and of the folder to build in it. */
async function ignoreFiles(root: string, folder: string, inside: string): Promise<readonly Judge[]> {
  const own = inside === "" ? undefined : await ignoreFileJudge(folder, ".fabricignore", inside);
  const judges = [await ignoreFileJudge(root, ".fabricignore"), own];
  return judges.filter((judge) => judge !== undefined);
}

async function goFiles(root: string, judge: Judge): Promise<readonly GoFile[]> {
  const { takes } = newSieve([judge]);
  const files = await folderFiles(
    root,
    (path, kind, origin) => (kind === "folder" || /(?<!_test)\.go$/.test(path)) && takes(path, kind, origin),
  );
  return Promise.all(files.map(async ({ path, file }) => ({ path, text: await readFile(file, "utf8") })));
}

async function vendoredModules(files: readonly FolderFile[]): Promise<string> {
  const modules = files.find(({ path }) => path === "vendor/modules.txt");
  return modules ? readFile(modules.file, "utf8") : "";
}

/** A peer runs "go build" in this folder and starts the executable. */
function checkMainPackage(sources: readonly GoFile[], leftOut: readonly LeftOut[], inside: string, folder: string) {
  const own = sources.filter(({ path }) => posix.dirname(path) === (inside === "" ? "." : inside));
  const main = own.filter(({ text }) => isMainPackage(text));
  if (main.length === 0) {
    const by = leftOut.find(
      ({ path, file }) => file !== undefined && (path.endsWith(".go") || `${inside}/`.startsWith(path)),
    );
    const found = own.flatMap(({ text }) => packageOf(text) ?? [])[0] ?? "no Go file";
    const left = by ? `; ${by.path} is left out by ${describeLeftOut(by)}` : "";
    throw new FabricError("usage", `expected a Go package main in ${folder}, found ${found}${left}`, {
      hint: "name the folder that has func main, inside its module",
    });
  }
  const texts = main.map(({ text }) => text);
  if (isGoServer(texts)) {
    throw serverRefused(
      `package main in ${folder} starts a shim.ChaincodeServer`,
      "shim.Start, or the contract's Start",
    );
  }
}

/** Throws `usage` where what Go embeds is left out, as what looks like a key is. */
function checkEmbeds(embeds: readonly GoEmbed[], files: readonly FolderFile[], leftOut: readonly LeftOut[]): void {
  for (const embed of embeds) {
    if (files.some(({ path }) => isEmbedded(embed, path, "file"))) continue;
    const by = leftOut.find(({ path }) => isEmbedded(embed, path.replace(/\/$/, ""), "file"));
    if (by === undefined) continue;
    const { path } = whyLeftOut(leftOut, by.path) ?? by;
    throw new FabricError(
      "usage",
      `expected ${path} in the package, which //go:embed names in ${embed.source}, line ${embed.line}, found it left out by ${describeLeftOut(by)}`,
      { hint: by.file === undefined ? { setting: "include", to: path } : `take that line out of ${by.file}` },
    );
  }
}
