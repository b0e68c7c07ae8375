/**
 * A path without the slashes at its end. Not by a regular expression: `/\/+$/` takes quadratic time for many slashes, and every
 * user who may create a Pod can send such a path.
 */
export function withoutEndSlashes(path: string): string {
  let end = path.length;
  while (end > 0 && path[end - 1] === "/") end--;
  return path.slice(0, end);
}

/** The part of a path below a directory, with its slash; undefined when the path is not below it. */
export function below(path: string, directory: string): string | undefined {
  const base = withoutEndSlashes(directory);
  return path.startsWith(`${base}/`) || path === base ? path.slice(base.length) : undefined;
}
