import { newLayout } from "../sandbox/layout.ts";
import { newProgress } from "../sandbox/progress.ts";
import { installPackages } from "../sandbox/packages.ts";
import { buildPrograms } from "../sandbox/programs.ts";

/** Before any test, so that files which run side by side do not build them for each other: API servers, the runner's guard. */
export async function setup(): Promise<void> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return;
  const progress = newProgress((line) => process.stderr.write(line));
  await installPackages(progress, undefined, ["shellcheck"]);
  for (const name of ["node", "oldest-api-server", "confine"] as const) {
    await buildPrograms(name, newLayout(), progress);
  }
}
