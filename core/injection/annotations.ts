/** The prefix of all our annotations and labels. */
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
  /** How to undo an injection that was made in a file (`kubectl fabric inject`). The webhook ignores it. */
  original: `${annotationPrefix}original`,
} as const;

const knownKeys: ReadonlySet<string> = new Set(Object.values(annotationKeys));

/** Annotations that only the injection writes. */
const writtenKeys: ReadonlySet<string> = new Set([annotationKeys.injected, annotationKeys.original]);

export type Annotations = Readonly<Record<string, string>>;

/** The keys with our prefix that we do not know: misspelt, or of a later version. */
export function unknownAnnotations(annotations: Annotations): readonly string[] {
  return Object.keys(annotations).filter((key) => key.startsWith(annotationPrefix) && !knownKeys.has(key));
}

/** The keys that a user may write, without the prefix, for messages. */
export function annotationNames(): readonly string[] {
  return [...knownKeys].filter((key) => !writtenKeys.has(key)).map((key) => key.slice(annotationPrefix.length));
}

/** The documentation of a key: a path below the repository's root, with its anchor. */
export function documentationOf(key: string): string {
  const name = key.startsWith(annotationPrefix) ? key.slice(annotationPrefix.length) : key;
  return `docs/injection.md#${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
}
