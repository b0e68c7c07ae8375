/** What every annotation and label of ours begins with. */
export const PREFIX = "kubectl-fabric.io/";

/** The label that opts a namespace in. Its value is `enabled`; the API server matches it before it asks the webhook. */
export const NAMESPACE_LABEL = `${PREFIX}injection`;

/** Annotations a user may put on a Pod (template), and those that the injection writes. */
export const ANNOTATIONS = {
  inject: `${PREFIX}inject`,
  peerContainer: `${PREFIX}peer-container`,
  image: `${PREFIX}dind-image`,
  cpuRequest: `${PREFIX}dind-cpu-request`,
  cpuLimit: `${PREFIX}dind-cpu-limit`,
  memoryRequest: `${PREFIX}dind-memory-request`,
  memoryLimit: `${PREFIX}dind-memory-limit`,
  storageLimit: `${PREFIX}dind-storage-limit`,
  storage: `${PREFIX}dind-storage`,
  dockerSocket: `${PREFIX}docker-socket`,
  chaincodeNetwork: `${PREFIX}chaincode-network`,
  registryMirror: `${PREFIX}registry-mirror`,
  mtu: `${PREFIX}mtu`,
  preload: `${PREFIX}preload`,
  preloadArchives: `${PREFIX}preload-archives`,
  profile: `${PREFIX}profile`,
  chaincodeIdle: `${PREFIX}chaincode-idle`,
  injected: `${PREFIX}injected`,
  /** How to undo an injection that was made in a file (`kubectl fabric inject`): of no meaning to the webhook. */
  original: `${PREFIX}original`,
} as const;

const KNOWN: ReadonlySet<string> = new Set(Object.values(ANNOTATIONS));

/** Not for users. */
const WRITTEN: ReadonlySet<string> = new Set([ANNOTATIONS.injected, ANNOTATIONS.original]);

export type Annotations = Readonly<Record<string, string>>;

/** The keys under our prefix that mean nothing to us: misspelt, or of a later version. */
export function unknownAnnotations(annotations: Annotations): readonly string[] {
  return Object.keys(annotations).filter((key) => key.startsWith(PREFIX) && !KNOWN.has(key));
}

/** The keys a user may write, as they are listed in messages. */
export function annotationNames(): readonly string[] {
  return [...KNOWN].filter((key) => !WRITTEN.has(key)).map((key) => key.slice(PREFIX.length));
}

/** Where the documentation explains a key, below the repository's root. */
export function documentationOf(key: string): string {
  const name = key.startsWith(PREFIX) ? key.slice(PREFIX.length) : key;
  return `docs/injection.md#${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
}
