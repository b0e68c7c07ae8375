/** Why something is not so; `about` is the name of that thing. */
export interface Reason {
  readonly about: string;
  readonly reason: string;
}

/** A reason once, with all that it is about. */
export interface SharedReason {
  readonly about: readonly string[];
  readonly reason: string;
}

/** What a reason begins with where it names the one Pod or workload that it is about (core/kubernetes/wait.ts). */
const ofOne = /^((StatefulSet|Deployment|DaemonSet|Job) \S+( was not ready( after \d+ s)?)?: )?(Pod \S+: )?/;

/** A reason without the name of the Pod or workload that it is about: several things with the same reason then have equal texts. */
export const sharedReason = (reason: string): string => reason.replace(ofOne, "");

/** Each reason once, in the order in which they came. A reason of one thing alone keeps the names in it. */
export function byReason(reasons: readonly Reason[]): readonly SharedReason[] {
  return [...Map.groupBy(reasons, ({ reason }) => sharedReason(reason))].map(([shared, group]) => {
    const [first] = group;
    return { about: group.map(({ about }) => about), reason: group.length === 1 && first ? first.reason : shared };
  });
}
