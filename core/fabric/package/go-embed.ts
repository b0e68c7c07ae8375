import { posix } from "node:path";

/** What a //go:embed line names (pkg.go.dev/embed). */
export interface GoEmbed {
  /** The Go file, from the module's folder. */
  readonly source: string;
  /** From 1. */
  readonly line: number;
  readonly pattern: string;
  /** Segments of the path that it names, from the module's folder; each may be a pattern of path.Match. */
  readonly segments: readonly RegExp[];
  /** Below a folder, files that begin with "." or "_" too. */
  readonly all: boolean;
}

/** The //go:embed lines of a Go file. */
export function embedsOf(source: string, text: string): readonly GoEmbed[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    const rest = /^\/\/go:embed[ \t]+(.*)$/.exec(line)?.[1];
    if (rest === undefined) return [];
    return [...rest.matchAll(/"((?:[^"\\]|\\.)*)"|`([^`]*)`|(\S+)/g)].flatMap(([, double, back, word]) => {
      const pattern = double?.replaceAll(/\\(.)/g, "$1") ?? back ?? word ?? "";
      const all = pattern.startsWith("all:");
      const path = posix.join(posix.dirname(source), all ? pattern.slice(4) : pattern);
      if (path.startsWith("../")) return [];
      const segments = path === "." ? [] : path.split("/").map(segmentPattern);
      return [{ source, line: index + 1, pattern, segments, all }];
    });
  });
}

/** Whether a path is one that is embedded, or a folder on the way to it. */
export function isEmbedded({ segments, all }: GoEmbed, path: string, kind: "file" | "folder"): boolean {
  const names = path.split("/");
  const named = names.slice(0, segments.length);
  if (!named.every((name, index) => segments[index]?.test(name))) return false;
  if (names.length < segments.length) return kind === "folder";
  return all || !names.slice(segments.length).some((name) => /^[._]/.test(name));
}

/** path.Match of one segment (pkg.go.dev/path#Match). A pattern that is none matches itself. */
function segmentPattern(glob: string): RegExp {
  const source = glob.replaceAll(
    /\\(.)|\[(\^?)((?:\\.|[^\]\\])+)\]|([*?])|([^A-Za-z0-9_])/gs,
    (...found: unknown[]) => {
      const [, escaped, not, set, wild, other] = found as (string | undefined)[];
      if (wild !== undefined) return wild === "*" ? "[^/]*" : "[^/]";
      if (set !== undefined) return `[${not ?? ""}${set.replaceAll(/[[\]]/g, String.raw`\$&`)}]`;
      return `\\u{${(escaped ?? other ?? "").codePointAt(0)?.toString(16)}}`;
    },
  );
  try {
    return new RegExp(`^${source}$`, "su");
  } catch {
    return /^(?!)/;
  }
}
