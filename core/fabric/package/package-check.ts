import { posix } from "node:path";
import { FabricError } from "../../error.ts";
import type { ArchiveEntry } from "./tarball.ts";

/** The file that a peer's build needs, by package type. */
const needs: ReadonlyMap<string, RegExp> = new Map([
  ["node", /^\/?src\/package\.json$/],
  ["golang", /^\/?src\/.*\.go$/],
  ["java", /^\/?src\/(pom\.xml|build\.gradle(\.kts)?|.*\.jar)$/],
]);

/**
 * Checks that a peer accepts and can build the entries of a code.tar.gz. Whatever the type, a peer with an external builder in
 * its core.yaml (there is one by default) unpacks the archive first, and refuses links and names that lead out of it
 * (core/container/externalbuilder/tar.go, Untar). It does not look at modes; only the peer command does, when it packages.
 * Throws `invalid`.
 */
export function checkPackageEntries(type: string, entries: readonly ArchiveEntry[]): void {
  for (const { name, kind } of entries) {
    if (kind !== "file" && kind !== "directory") {
      throw new FabricError("invalid", `expected files in code.tar.gz, found ${name}, a ${kind}`, {
        hint: "package the folder itself: links become what they point at",
      });
    }
    const clean = posix.normalize(name);
    if (clean.startsWith("/") || clean === ".." || clean.startsWith("../")) {
      throw new FabricError("invalid", `expected names inside code.tar.gz, found ${name}`);
    }
  }
  const missing = missingFor(
    type,
    entries.filter(({ kind }) => kind === "file").map(({ name }) => name),
  );
  if (missing === undefined) return;
  throw new FabricError("invalid", `expected ${missing} in code.tar.gz, found none`, {
    hint: "sources belong below src/: packaging the folder itself does it right",
  });
}

/** In words, the file that a peer's build begins with, if it is not among the files of a package. */
export function missingFor(type: string, names: readonly string[]): string | undefined {
  const needed = needs.get(type.toLowerCase());
  return !needed || names.some((name) => needed.test(name)) ? undefined : wordsFor.get(type.toLowerCase());
}

const wordsFor: ReadonlyMap<string, string> = new Map([
  ["node", "src/package.json"],
  ["golang", "Go files below src/"],
  ["java", "src/pom.xml, src/build.gradle or a jar"],
]);
