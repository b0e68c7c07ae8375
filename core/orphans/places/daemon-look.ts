import { diskUsage } from "../../docker/disk-usage.ts";
import type { Engine } from "../../docker/engine.ts";
import { imageArrivals } from "../../docker/image-age.ts";
import { judgeDaemon, type DaemonContents, type DaemonUser } from "./daemon-contents.ts";
import type { Finding } from "../judgement/finding.ts";
import type { AgeLimit } from "../judgement/judgement.ts";

export interface DaemonPlace extends Pick<DaemonContents, "source" | "place" | "own"> {
  /** Asked last: what was deployed in between is then needed, not lost. */
  readonly users: () => Promise<readonly DaemonUser[]>;
}

/** Everything in a daemon that has to do with chaincode, judged by the facts of now. */
export async function lookIntoDaemon(
  engine: Engine,
  { users, ...place }: DaemonPlace,
  age: AgeLimit,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const usage = await diskUsage(engine, signal);
  const arrivals = new Map<string, Date>();
  const judged = async (limit: AgeLimit) => judgeDaemon({ ...place, usage, arrivals, users: await users() }, limit);
  // The age of a few images counts, and each has to be asked for.
  const names = new Set((await judged({ ...age, olderThan: 0 })).flatMap(dated));
  const asked = usage.images.filter((image) => [image.Id, ...(image.RepoTags ?? [])].some((name) => names.has(name)));
  for (const [id, time] of await imageArrivals(engine, asked, signal)) arrivals.set(id, time);
  return judged(age);
}

const dated = ({ kind, verdict, name }: Finding): readonly string[] =>
  kind === "image" && verdict !== "needed" ? [name] : [];
