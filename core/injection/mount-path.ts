/**
 * A path without the slashes at its end. Not by a regular expression: `/\/+$/` takes quadratic time over a run of slashes, and
 * paths come from whoever may create a Pod.
 */
export function withoutEndSlashes(path: string): string {
  let end = path.length;
  while (end > 0 && path[end - 1] === "/") end--;
  return path.slice(0, end);
}

/** The rest of a path below a directory, with its slash; undefined when it is elsewhere. */
export function below(path: string, directory: string): string | undefined {
  const base = withoutEndSlashes(directory);
  return path.startsWith(`${base}/`) || path === base ? path.slice(base.length) : undefined;
}
