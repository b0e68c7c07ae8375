/** What every annotation and label of ours begins with. */
export const annotationPrefix = "kubectl-fabric.io/";

/** The label that opts a namespace in. Its value is `enabled`; the API server matches it before it asks the webhook. */
export const namespaceLabel = `${annotationPrefix}injection`;

/** Annotations a user may put on a Pod (template), and those that the injection writes. */
export const annotationKeys = {
  inject: `${annotationPrefix}inject`,
  peerContainer: `${annotationPrefix}peer-container`,
  image: `${annotationPrefix}dind-image`,
  cpuRequest: `${annotationPrefix}dind-cpu-request`,
  cpuLimit: `${annotationPrefix}dind-cpu-limit`,
  memoryRequest: `${annotationPrefix}dind-memory-request`,
  memoryLimit: `${annotationPrefix}dind-memory-limit`,
  storageLimit: `${annotationPrefix}dind-storage-limit`,
  storage: `${annotationPrefix}dind-storage`,
  dockerSocket: `${annotationPrefix}docker-socket`,
  chaincodeNetwork: `${annotationPrefix}chaincode-network`,
  registryMirror: `${annotationPrefix}registry-mirror`,
  mtu: `${annotationPrefix}mtu`,
  preload: `${annotationPrefix}preload`,
  preloadArchives: `${annotationPrefix}preload-archives`,
  profile: `${annotationPrefix}profile`,
  chaincodeIdle: `${annotationPrefix}chaincode-idle`,
  injected: `${annotationPrefix}injected`,
  /** How to undo an injection that was made in a file (`kubectl fabric inject`): of no meaning to the webhook. */
  original: `${annotationPrefix}original`,
} as const;

const knownKeys: ReadonlySet<string> = new Set(Object.values(annotationKeys));

/** Not for users. */
const writtenKeys: ReadonlySet<string> = new Set([annotationKeys.injected, annotationKeys.original]);

export type Annotations = Readonly<Record<string, string>>;

/** The keys under our prefix that mean nothing to us: misspelt, or of a later version. */
export function unknownAnnotations(annotations: Annotations): readonly string[] {
  return Object.keys(annotations).filter((key) => key.startsWith(annotationPrefix) && !knownKeys.has(key));
}

/** The keys a user may write, as they are listed in messages. */
export function annotationNames(): readonly string[] {
  return [...knownKeys].filter((key) => !writtenKeys.has(key)).map((key) => key.slice(annotationPrefix.length));
}

/** Where the documentation explains a key, below the repository's root. */
export function documentationOf(key: string): string {
  const name = key.startsWith(annotationPrefix) ? key.slice(annotationPrefix.length) : key;
  return `docs/injection.md#${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
}
