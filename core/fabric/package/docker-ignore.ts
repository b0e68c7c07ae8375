import { join } from "node:path";
import dockerignore from "@balena/dockerignore";
import { readFileIfAny } from "./chaincode-folder.ts";
import type { ArchiveFile } from "./tarball.ts";

/** Of this much people want to know, in bytes before compression. */
const weighty = 1024 * 1024;

/** None where the patterns are none: the file has no say. */
function namedBy(text: string, files: readonly ArchiveFile[]): readonly ArchiveFile[] {
  try {
    const rules = dockerignore.default().add(text.replace(/^\ufeff/, ""));
    return files.filter(({ name }) => name.startsWith("src/") && rules.ignores(name.slice("src/".length)));
  } catch {
    return [];
  }
}

/** A .dockerignore is about an image of the folder. Where what it names makes the package much larger, a sentence says that it has no say. */
export async function dockerIgnoreNotices(folder: string, files: readonly ArchiveFile[]): Promise<readonly string[]> {
  const text = (await readFileIfAny(join(folder, ".dockerignore")))?.toString("utf8");
  if (text === undefined) return [];
  const named = namedBy(text, files);
  const bytes = named.reduce((sum, { content }) => sum + content.length, 0);
  if (bytes < weighty) return [];
  const size = `${(bytes / weighty).toFixed(1)} MiB`;
  return [
    `.dockerignore has no say in a package: ${named.length} files that it names (${size}) are packed; .fabricignore leaves out`,
  ];
}
