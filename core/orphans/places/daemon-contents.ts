import {
  containerNameOf,
  imageNameOf,
  isChaincodeName,
  packageOfContainer,
  packageOfImage,
  type ContainerOwner,
} from "../../fabric/chaincode/chaincode-container.ts";
import type { DiskUsage } from "../../docker/disk-usage.ts";
import type { Finding, Judgement, Thing } from "../judgement/finding.ts";
import { inOrder } from "../judgement/order.ts";
import { agreed, judgeLeftover, judgePackage, type AgeLimit, type PeerFacts } from "../judgement/judgement.ts";

/** A peer whose chaincode a daemon may hold. */
export interface DaemonUser {
  /** For people. */
  readonly name: string;
  readonly owner: ContainerOwner;
  readonly facts: PeerFacts;
  /** Why this peer needs nothing in this daemon: it uses another one, or is gone. Undefined when it may need things here. */
  readonly elsewhere?: string | undefined;
}

export interface DaemonContents {
  readonly source: "dind" | "host-docker";
  readonly place: string;
  readonly usage: DiskUsage;
  readonly users: readonly DaemonUser[];
  /** Whether only these peers use the daemon: then all that builds left there is theirs, whatever its name. */
  readonly own: boolean;
  /** Image ID -> when the image came into the daemon; only images whose time is known. */
  readonly arrivals: ReadonlyMap<string, Date>;
}

/** Judges all things of chaincode in a daemon. Other things get no finding. Pure. */
export function judgeDaemon(contents: DaemonContents, age: AgeLimit): readonly Finding[] {
  const containers = contents.usage.containers.flatMap((container) => judgeContainer(contents, container, age));
  const staying = contents.usage.containers.filter(({ Id }) =>
    containers.some(({ id, verdict }) => id === Id && verdict !== "orphan"),
  );
  const used = namesInUse(staying);
  return [
    ...containers,
    ...contents.usage.images.flatMap((image) => judgeImage(contents, image, used, age)),
    ...(contents.own ? judgeBuildCache(contents, age) : []),
  ];
}

/** Image ID -> the image names in the containers that stay. Docker shows an ID instead, once the name belongs to a rebuilt image. */
type NamesInUse = ReadonlyMap<string, ReadonlySet<string>>;

function namesInUse(containers: DiskUsage["containers"]): NamesInUse {
  const grouped = Map.groupBy(containers, ({ ImageID }) => ImageID);
  return new Map([...grouped].map(([id, some]) => [id, new Set(some.map(({ Image }) => repositoryOf(Image)))]));
}

/** Whether a container that stays needs this name of an image. Of several names only the one that the container was made by counts. */
function isInUse(used: NamesInUse, id: string, repository: string, repositories: readonly string[]): boolean {
  const names = used.get(id);
  if (!names) return false;
  return names.has(repository) || !repositories.some((other) => names.has(other));
}

function judgeContainer(
  { source, place, users, own }: DaemonContents,
  container: DiskUsage["containers"][number],
  age: AgeLimit,
): readonly Finding[] {
  const name = container.Names[0]?.replace(/^\//, "") ?? container.Id;
  const since = new Date(container.Created * 1000);
  const thing = { source, place, name, id: container.Id, bytes: container.SizeRw, since };
  const owned = ownersOf(users, (user) => installedUnder(user, name, containerNameOf, packageOfContainer));
  if (owned) {
    const [{ user, packageId }] = owned;
    const judgement = judgeOwned(owned, since, age);
    return [{ ...thing, kind: "container", peer: user.name, packageId, ...judgement }];
  }
  const build = own ? judgeBuildContainer(container, since, age) : undefined;
  if (build) return [{ ...thing, kind: "build container", peer: users[0]?.name, ...build }];
  if (!isChaincodeName(name)) return [];
  return [{ ...thing, kind: "container", ...nobodys }];
}

const nobodys: Judgement = { verdict: "kept", because: "it is named after no peer that is known here" };

/**
 * Judges a container of a build; undefined for others. A peer's Dockerfile (core/chaincode/platforms) leaves a container for each
 * instruction, created and never started, because the peer does not ask Docker to remove them. A peer that died leaves the container
 * that compiled.
 */
function judgeBuildContainer(
  { State, Command }: DiskUsage["containers"][number],
  since: Date,
  age: AgeLimit,
): Judgement | undefined {
  if (State === "created" && Command.includes("#(nop)")) {
    return judgeLeftover("a build went through it", since, age);
  }
  // core/chaincode/platforms/*/platform.go, DockerBuildOptions
  if (!/\/chaincode\/(output|build\.sh|input)|^\/bin\/sh -c ['"]?\.\/build\.sh/.test(Command)) return undefined;
  if (State === "running") return { verdict: "kept", because: "a build runs in it" };
  return judgeLeftover("its build is over, and its peer did not fetch what it made", since, age);
}

function judgeImage(
  { source, place, users, own, arrivals }: DaemonContents,
  image: DiskUsage["images"][number],
  used: NamesInUse,
  age: AgeLimit,
): readonly Finding[] {
  const since = arrivals.get(image.Id);
  const tags = (image.RepoTags ?? []).filter((tag) => tag !== "<none>:<none>");
  // Shared layers stay on the disk, and all layers while the image has another name.
  const bytes = tags.length > 1 ? 0 : image.Size - Math.max(0, image.SharedSize);
  const inUse: Judgement = { verdict: "needed", because: "a container that stays was made from it" };
  if (tags.length === 0) {
    if (!own) return [];
    const judgement = used.has(image.Id)
      ? inUse
      : judgeLeftover("it has no name, and no image was made from it", since, age);
    return [{ source, place, kind: "image", name: image.Id, bytes, since, peer: users[0]?.name, ...judgement }];
  }
  const repositories = tags.map(repositoryOf);
  return tags.flatMap((tag): Finding[] => {
    const repository = repositoryOf(tag);
    const thing: Thing = { source, place, kind: "image", name: tag, bytes, since };
    const owned = ownersOf(users, (user) => installedUnder(user, repository, imageNameOf, packageOfImage));
    if (!owned) return isImageName(repository) ? [{ ...thing, ...nobodys }] : [];
    const judgement = judgeOwned(owned, since, age);
    const kept =
      judgement.verdict === "orphan" && isInUse(used, image.Id, repository, repositories) ? inUse : judgement;
    const [{ user, packageId }] = owned;
    return [{ ...thing, peer: user.name, packageId, ...kept }];
  });
}

const repositoryOf = (tag: string): string => tag.replace(/:latest$/, "");

/** Two hashes at the end: only a peer's chaincode images have such names. */
const isImageName = (repository: string): boolean => /.-[0-9a-f]{64}-[0-9a-f]{64}$/.test(repository);

function judgeBuildCache({ source, place, usage, users }: DaemonContents, age: AgeLimit): readonly Finding[] {
  const idle = usage.buildCache.filter(({ InUse }) => !InUse);
  if (idle.length === 0) return [];
  const since = new Date(Math.max(...idle.map(({ LastUsedAt, CreatedAt }) => Date.parse(LastUsedAt || CreatedAt))));
  const bytes = idle.reduce((sum, { Size }) => sum + Size, 0);
  const judgement = judgeLeftover("no build uses it", since, age);
  return [
    { source, place, kind: "build cache", name: "build cache", bytes, since, peer: users[0]?.name, ...judgement },
  ];
}

interface Owned {
  readonly user: DaemonUser;
  readonly packageId: string;
}

/** Judges a thing of several peers with the same name: an orphan only when it is one for each of them. */
function judgeOwned(owned: readonly Owned[], since: Date | undefined, age: AgeLimit): Judgement {
  return agreed(
    owned.map(({ user, packageId }) =>
      user.elsewhere === undefined
        ? judgePackage(packageId, user.facts, since, age)
        : judgeLeftover(user.elsewhere, since, age),
    ),
    nobodys.because,
  );
}

/**
 * The peers that a name belongs to. It may begin with `net-peer0` and with `net-peer0-a`, for labels have dashes, too: a known
 * package with exactly this name decides, else the longer prefix. Several peers may have the same IDs.
 */
function ownersOf(
  users: readonly DaemonUser[],
  packageOf: (user: DaemonUser) => { readonly packageId: string; readonly exact: boolean } | undefined,
): readonly [Owned, ...Owned[]] | undefined {
  const length = ({ owner }: DaemonUser) => owner.networkId.length + owner.peerId.length;
  const found = users.flatMap((user) => {
    const named = packageOf(user);
    return named ? [{ user, ...named }] : [];
  });
  const [best, ...rest] = inOrder(found, ({ user }) => user.name).toSorted(
    (one, other) => Number(other.exact) - Number(one.exact) || length(other.user) - length(one.user),
  );
  if (!best) return undefined;
  return [best, ...rest.filter(({ user }) => isAlike(user.owner, best.user.owner))];
}

function isAlike(one: ContainerOwner, other: ContainerOwner): boolean {
  return one.networkId === other.networkId && one.peerId === other.peerId;
}

/** The package of a name: a known package with exactly this name, else the ID parsed from the name. */
function installedUnder(
  { owner, facts }: DaemonUser,
  name: string,
  nameOf: (owner: ContainerOwner, packageId: string) => string,
  parse: (owner: ContainerOwner, name: string) => string | undefined,
): { readonly packageId: string; readonly exact: boolean } | undefined {
  const known = facts.known ? [...facts.packages.keys()].find((id) => nameOf(owner, id) === name) : undefined;
  if (known !== undefined) return { packageId: known, exact: true };
  const parsed = parse(owner, name);
  return parsed === undefined ? undefined : { packageId: parsed, exact: false };
}
