import { parseVersion, type Version } from "./version.ts";

/** An image reference, its defaults written out: `docker:28-dind` is `docker.io/library/docker`, tag `28-dind`. */
export interface Image {
  /** Registry and path. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

// distribution/reference: the grammar of references, without its length limits.
const REFERENCE =
  /^(?<repository>(?:[a-zA-Z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:(?:[._-]+|\/)[a-z0-9]+)*)(?::(?<tag>\w[\w.-]{0,127}))?(?:@(?<digest>[a-zA-Z0-9]+:[0-9a-fA-F]{32,}))?$/;

/** Reads an image reference; undefined when it is none. */
export function parseImage(reference: string): Image | undefined {
  const groups = REFERENCE.exec(reference)?.groups;
  if (groups?.["repository"] === undefined) return undefined;
  return { repository: fullRepository(groups["repository"]), tag: groups["tag"], digest: groups["digest"] };
}

function fullRepository(repository: string): string {
  const [first = "", ...rest] = repository.split("/");
  if (rest.length === 0) return `docker.io/library/${first}`;
  const isRegistry = /[.:A-Z]/.test(first) || first === "localhost";
  if (!isRegistry) return `docker.io/${repository}`;
  if (rest.length === 1 && (first === "docker.io" || first === "index.docker.io"))
    return `docker.io/library/${rest[0]}`;
  return repository;
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
 * Whether an image is covered by an operator's entry. An entry without tag and digest allows every version of a repository;
 * `*` stands for any characters. Where an image has a digest its tag decides nothing, for it does not decide what is pulled.
 */
export function imageMatches({ repository, tag, digest }: Image, entry: string): boolean {
  const tagged = tag === undefined ? repository : `${repository}:${tag}`;
  const exact = digest === undefined ? [tagged] : [`${repository}@${digest}`, `${tagged}@${digest}`];
  const pinned = /[:@]/.test(entry.slice(entry.lastIndexOf("/") + 1));
  const pattern = wildcard(entry);
  return (pinned ? exact : [repository]).some((form) => pattern.test(form));
}

function wildcard(entry: string): RegExp {
  const literal = entry.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${literal.join(".*")}$`);
}
