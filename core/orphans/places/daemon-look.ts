import { diskUsage } from "../../docker/disk-usage.ts";
import type { Engine } from "../../docker/engine.ts";
import { imageArrivals } from "../../docker/image-age.ts";
import { judgeDaemon, type DaemonContents, type DaemonUser } from "./daemon-contents.ts";
import type { Finding } from "../judgement/finding.ts";
import type { AgeLimit } from "../judgement/judgement.ts";

export interface DaemonPlace extends Pick<DaemonContents, "source" | "place" | "own"> {
  /** Called after the daemon was read, so that a thing deployed in between is seen as needed. */
  readonly users: () => Promise<readonly DaemonUser[]>;
}

/** All things of chaincode in a daemon, judged by the present facts. */
export async function lookIntoDaemon(
  engine: Engine,
  { users, ...place }: DaemonPlace,
  age: AgeLimit,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const usage = await diskUsage(engine, signal);
  const arrivals = new Map<string, Date>();
  const judged = async (limit: AgeLimit) => judgeDaemon({ ...place, usage, arrivals, users: await users() }, limit);
  // Only images that may be orphans need their age, which takes a request for each.
  const names = new Set((await judged({ ...age, olderThan: 0 })).flatMap(dated));
  const asked = usage.images.filter((image) => [image.Id, ...(image.RepoTags ?? [])].some((name) => names.has(name)));
  for (const [id, time] of await imageArrivals(engine, asked, signal)) arrivals.set(id, time);
  return judged(age);
}

const dated = ({ kind, verdict, name }: Finding): readonly string[] =>
  kind === "image" && verdict !== "needed" ? [name] : [];
