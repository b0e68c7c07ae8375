/** The kinds of places where chaincode leaves things behind. */
export const sources = ["dind", "host-docker", "builder-k8s", "service"] as const;
export type Source = (typeof sources)[number];

/** The judgement of a thing. Only orphans are removed. */
export type Verdict =
  | "orphan" // proved: nothing that is committed, approved or running needs it
  | "needed"
  | "kept"; // not proved, for the reason given

export interface Judgement {
  readonly verdict: Verdict;
  /** A sentence for people, without a full stop. */
  readonly because: string;
}

/** A thing that chaincode may have left, and its place. */
export interface Thing {
  readonly source: Source;
  readonly kind:
    "image" | "container" | "build container" | "build cache" | "Job" | "Pod" | "Secret" | "Deployment" | "Service";
  /** "org1/peer0-0", "node worker-1", "namespace org1" */
  readonly place: string;
  /** Unique within its place and kind. */
  readonly name: string;
  /** Identifies it among later things of the same name: a container's id, an object's uid. */
  readonly id?: string | undefined;
  /** Bytes that its removal frees, where that is known. */
  readonly bytes?: number | undefined;
  /** When it was made, or ended. */
  readonly since?: Date | undefined;
  /** The peer that it was made for, where that is known. */
  readonly peer?: string | undefined;
  readonly packageId?: string | undefined;
}

export interface Finding extends Thing, Judgement {}

/** The key of a thing, equal in every survey. */
export function findingKey({ source, place, kind, name }: Thing): string {
  return `${source}/${place}/${kind}/${name}`;
}
