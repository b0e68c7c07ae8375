import { ApiError } from "../api-error.ts";

/** The fields of a tar entry's header that are used here (POSIX.1-2017, pax). */
export interface EntryHeader {
  readonly name: string;
  readonly type?: string | null | undefined;
  readonly linkname?: string | null | undefined;
}

const mostDepth = 100;
const longestPath = 4096;
const longestName = 255;

/**
 * The path of an entry within the directory it is unpacked into: "a/b", "" for the directory itself. As Docker does, a leading slash
 * is dropped (the peer sends "/etc/hyperledger/fabric/client.key"). Throws ApiError 400 for names that lead out, or that no file can have.
 */
export function entryPath(name: string): string {
  if (name.includes("\0")) throw refused(name, "a name without NUL");
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw refused(name, 'a name without ".."');
  const path = parts.join("/");
  if (parts.length > mostDepth || path.length > longestPath || parts.some((part) => part.length > longestName)) {
    throw refused(
      name,
      `a name of at most ${mostDepth} parts, ${longestPath} characters and ${longestName} for each part`,
    );
  }
  return path;
}

export type EntryKind = "file" | "directory" | "symlink";

/** The kind of an entry. Throws ApiError 400 for hard links, devices, FIFOs and links that lead out of the directory. */
export function entryKind(header: EntryHeader): EntryKind {
  switch (header.type) {
    case "file":
    case undefined:
    case null:
      return "file";
    case "directory":
      return "directory";
    case "symlink":
      checkTarget(header.name, header.linkname ?? "");
      return "symlink";
    default:
      throw refused(header.name, `a file, a directory or a symbolic link, not ${header.type}`);
  }
}

/** Allows ".." only at the beginning of a target: a name may be a link itself, and ".." after it would start from its target. */
function checkTarget(name: string, target: string): void {
  if (target.startsWith("/")) throw refused(name, `a relative link, not one to ${JSON.stringify(target)}`);
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  const down = parts.findIndex((part) => part !== "..");
  if (down !== -1 && parts.includes("..", down))
    throw refused(name, `a link without ".." after a name, not one to ${JSON.stringify(target)}`);
  const up = down === -1 ? parts.length : down;
  if (up > entryPath(name).split("/").length - 1)
    throw refused(name, `a link that stays within the archive, not one to ${JSON.stringify(target)}`);
}

/** A mode that its owner can read and write; execute bits stay, but not setuid, setgid and writing by others. */
export function entryMode(mode: number | undefined): number {
  return ((mode ?? 0o644) & 0o755) | 0o600;
}

function refused(name: string, expected: string): ApiError {
  return new ApiError(
    400,
    `archive refused: expected ${expected}, found the entry ${JSON.stringify(name.slice(0, 200))}`,
  );
}
