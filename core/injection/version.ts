/** The first numbers of a version. Only Fabric's patch levels decide anything here. */
export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number | undefined;
}

/** Reads "v1.33.2-gke.1" or "1.29+"; undefined when there is no version in it. */
export function parseVersion(text: string): Version | undefined {
  const parts = /(?:^|[^0-9.])v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?![0-9])/.exec(text);
  if (parts === null) return undefined;
  const [, major, minor, patch] = parts;
  return { major: Number(major), minor: Number(minor), patch: patch === undefined ? undefined : Number(patch) };
}

/** Negative when a is older than b; an unknown patch level counts as the newest. */
export function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor || (a.patch ?? Infinity) - (b.patch ?? Infinity) || 0;
}

export function isOlder(version: Version, than: string): boolean {
  const other = parseVersion(than);
  return other !== undefined && compareVersions(version, { ...other, patch: other.patch ?? 0 }) < 0;
}

export function printVersion({ major, minor, patch }: Version): string {
  return patch === undefined ? `${major}.${minor}` : `${major}.${minor}.${patch}`;
}
