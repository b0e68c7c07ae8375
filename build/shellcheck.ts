// Part of `npm run lint`: shellcheck on every shell script. No well-kept npm package contains it (one downloads it from GitHub, one in
// WebAssembly fails on its second text), so it may be missing here; test/integration requires it.
import { spawnSync } from "node:child_process";
import { closeSync, globSync, openSync, readSync } from "node:fs";
import { join } from "node:path";

/** A shell script. `shell` is set when its first line names none: embedded scripts are run by `sh -c`. */
export interface ShellProgram {
  readonly file: string;
  readonly shell: "sh" | undefined;
}

/** The shell scripts in a folder, found by the file's ending or first line; paths are relative to the folder. */
export function shellPrograms(root: string): readonly ShellProgram[] {
  const exclude = ["**/node_modules", "**/dist", "**/.git"];
  return globSync(["**/*", ".ci/*"], { cwd: root, exclude, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .toSorted()
    .flatMap((file): ShellProgram[] => {
      const first = firstBytes(file);
      if (/^#!.*\b(?:ba|da)?sh\b/.test(first)) return [{ file, shell: undefined }];
      return file.endsWith(".sh") ? [{ file, shell: "sh" }] : [];
    });
}

function firstBytes(file: string): string {
  const descriptor = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(64);
    return bytes.toString("latin1", 0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}

/** shellcheck's findings, one a line; undefined when it is not installed. Throws when it cannot read a file. */
export function findingsOf(programs: readonly ShellProgram[]): string | undefined {
  let findings = "";
  for (const shell of ["sh", undefined] as const) {
    const files = programs.filter((program) => program.shell === shell).map(({ file }) => file);
    const options = ["--format=gcc", ...(shell === undefined ? [] : [`--shell=${shell}`])];
    const { error, status, stdout, stderr } = spawnSync("shellcheck", [...options, "--", ...files], {
      encoding: "utf8",
    });
    if (error !== undefined && "code" in error && error.code === "ENOENT") return undefined;
    if (error !== undefined) throw error;
    // 1: there are findings (shellcheck(1), RETURN VALUES).
    if (files.length > 0 && status !== 0 && status !== 1) throw new Error(stderr);
    findings += stdout;
  }
  return findings;
}

if (import.meta.main) {
  const findings = findingsOf(shellPrograms("."));
  if (findings === undefined)
    console.error("shellcheck: NOT RUN, for it is not installed (apt-get install shellcheck)");
  else if (findings !== "") {
    console.error(findings.trimEnd());
    process.exitCode = 1;
  }
}
