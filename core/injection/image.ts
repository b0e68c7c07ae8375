import { parseVersion, type Version } from "./version.ts";

/** An image reference, its defaults written out: `docker:28-dind` is `docker.io/library/docker`, tag `28-dind`. */
export interface Image {
  /** Registry and path. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** distribution/reference: 255 characters of a name, 128 of a tag, and a digest. */
const longestReference = 512;

// distribution/reference: the grammar of references; repository, tag and digest.
const referencePattern =
  /^((?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::\d+)?\/)?[a-z0-9]+(?:(?:[._-]+|\/)[a-z0-9]+)*)(?::(\w[\w.-]{0,127}))?(?:@([a-zA-Z0-9]+:[0-9a-fA-F]{32,}))?$/;

/** Reads an image reference; undefined for another text. */
export function parseImage(reference: string): Image | undefined {
  const [, repository, tag, digest] =
    (reference.length > longestReference ? null : referencePattern.exec(reference)) ?? [];
  return repository === undefined ? undefined : { repository: fullRepository(repository), tag, digest };
}

function fullRepository(repository: string): string {
  const slash = repository.indexOf("/");
  if (slash === -1) return `docker.io/library/${repository}`;
  const first = repository.slice(0, slash);
  const isRegistry = /[.:A-Z]/.test(first) || first === "localhost";
  if (!isRegistry) return `docker.io/${repository}`;
  const isDocker = first === "docker.io" || first === "index.docker.io";
  const rest = repository.slice(slash + 1);
  return isDocker && !rest.includes("/") ? `docker.io/library/${rest}` : repository;
}

/** The last segment of the path: "fabric-peer" of "registry/hyperledger/fabric-peer:2.5". */
export function imageName({ repository }: Image): string {
  return repository.slice(repository.lastIndexOf("/") + 1);
}

/** The version that the tag tells: "2.5.12", "amd64-1.4.0", "28-dind" (28.0). Undefined for "latest" and digests. */
export function imageVersion({ tag }: Image): Version | undefined {
  if (tag === undefined) return undefined;
  const full = parseVersion(tag);
  if (full !== undefined) return full;
  const major = /^v?(\d{1,3})(?:$|-)/.exec(tag)?.[1];
  return major === undefined ? undefined : { major: Number(major), minor: 0, patch: undefined };
}

/**
 * Whether an operator's entry covers an image; `*` stands for any characters. An entry without tag and digest covers every version
 * of a repository. An entry with a tag covers no image with a digest: the digest decides what is pulled, not the tag.
 */
export function imageMatches({ repository, tag, digest }: Image, entry: string): boolean {
  const last = entry.slice(entry.lastIndexOf("/") + 1);
  if (!/[:@]/.test(last)) return isLike(repository, entry);
  const tagged = tag === undefined ? repository : `${repository}:${tag}`;
  if (digest === undefined) return !last.includes("@") && isLike(tagged, entry);
  return last.includes("@") && [`${repository}@${digest}`, `${tagged}@${digest}`].some((form) => isLike(form, entry));
}

/**
 * Whether a text fits a pattern, in which `*` stands for any characters. Takes each part at its first occurrence. That is enough, and
 * needs only linear time for each part.
 */
export function isLike(text: string, pattern: string): boolean {
  const [first = "", ...parts] = pattern.split("*");
  const last = parts.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false;
  const middle = text.slice(first.length, text.length - last.length);
  let from = 0;
  for (const part of parts) {
    const at = middle.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length;
  }
  return true;
}
