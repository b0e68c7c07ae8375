import { newLayout } from "../sandbox/layout.ts";
import { newProgress } from "../sandbox/progress.ts";
import { buildPrograms } from "../sandbox/programs.ts";
import { sandboxImage } from "../sandbox/sandbox.ts";
import { noDocker } from "./docker.ts";

/** Before any test, so that files which run side by side do not build them for each other: Docker and what it needs. */
export async function setup(): Promise<void> {
  if (noDocker !== undefined) return;
  const progress = newProgress((line) => process.stderr.write(line));
  await sandboxImage("fabric-nodeenv", { progress });
  for (const name of ["docker", "containerd", "confine"] as const) await buildPrograms(name, newLayout(), progress);
}
