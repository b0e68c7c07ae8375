import { FabricError } from "../../error.ts";

/** A module that go.mod requires. */
export interface RequiredModule {
  readonly path: string;
  readonly version: string;
}

/** The path of a module (go.dev/ref/mod#go-mod-file-module). Throws `usage`. */
export function goModulePath(text: string, file: string): string {
  const path = /^module\s+"?([^\s"]+)"?/m.exec(text)?.[1];
  if (path === undefined) throw new FabricError("usage", `expected a module line in ${file}, found none`);
  return path;
}

/** The modules that a go.mod requires, in single lines and in blocks. */
export function requiredModules(text: string): readonly RequiredModule[] {
  const lines = text.replaceAll(/\/\/.*$/gm, "");
  const blocks = [...lines.matchAll(/^require\s*\(([^)]*)\)/gm)].flatMap(([, body = ""]) => body.split("\n"));
  const single = [...lines.matchAll(/^require\s+([^(\s].*)$/gm)].map(([, rest = ""]) => rest);
  return [...blocks, ...single].flatMap((line) => {
    const [path, version] = line.trim().split(/\s+/);
    return path && version ? [{ path: path.replaceAll('"', ""), version }] : [];
  });
}

/**
 * Go refuses to build when vendor/modules.txt does not list what go.mod requires ("inconsistent vendoring",
 * cmd/go/internal/modload/vendor.go). Throws `usage`.
 */
export function checkVendored(required: readonly RequiredModule[], modulesText: string, where: string): void {
  const vendored = new Set(
    [...modulesText.matchAll(/^# (\S+) (\S+)/gm)].map(([, path, version]) => `${path} ${version}`),
  );
  const missing = required.filter(({ path, version }) => !vendored.has(`${path} ${version}`));
  if (missing.length === 0) return;
  const names = missing.map(({ path, version }) => `${path} ${version}`).join(", ");
  throw new FabricError("usage", `expected ${where}/vendor to hold what go.mod requires, found no ${names}`, {
    hint: `go mod vendor, in ${where}`,
  });
}
