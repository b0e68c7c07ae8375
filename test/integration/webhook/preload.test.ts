// The script that preloads images, by a real shell and a docker that notes what it is asked.
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { annotationKeys } from "../../../core/injection/annotations.ts";
import type { ClusterFacts } from "../../../core/injection/cluster.ts";
import { archivesDirectory, preloadOf, pullSecretsDirectory } from "../../../core/injection/preload.ts";
import { parseRequest } from "../../../core/injection/request.ts";
import { defaultSettings } from "../../../core/injection/settings.ts";
import { run } from "../../sandbox/command.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "kubectl-fabric-preload-"));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

/** `docker image inspect` succeeds for what is there; a pull needs the credentials that are right for it. */
async function preload(
  images: readonly string[],
  secrets: readonly string[],
  archives: readonly string[] = [],
  cluster: ClusterFacts = {},
): Promise<readonly string[]> {
  const annotations = {
    ...(images.length === 0 ? {} : { [annotationKeys.preload]: images.join(",") }),
    ...(archives.length === 0 ? {} : { [annotationKeys.preloadArchives]: archives.join(",") }),
  };
  const spec = { containers: [], imagePullSecrets: secrets.map((name) => ({ name })) };
  const planned = preloadOf(parseRequest(annotations, defaultSettings), spec, cluster);
  const log = join(directory, "log");
  // Both sides of a pipe start at once: a load is noted when it has read everything, which is after its export was.
  const docker = `#!/bin/sh
if [ "$*" = load ]; then echo "load $(cat)" >>${log}; exit 0; fi
echo "$*" >>${log}
case "$*" in
  "create archives:1 none") echo id; exit 0;; "export id") cat ${directory}/image.tar; exit 0;;
  "load --input "*|"pull archives:1"|"rm id") exit 0;;
esac
case "$*" in "image inspect present:1"|"pull public:1"|"--config ${directory}/secrets/1 pull private:1") exit 0;; *) exit 1;; esac`;
  await writeFile(join(directory, "docker"), docker);
  await chmod(join(directory, "docker"), 0o755);
  for (const secret of secrets) {
    await mkdir(join(directory, "secrets", secret), { recursive: true });
    await writeFile(join(directory, "secrets", secret, "config.json"), "{}");
  }
  const script = planned.script
    .replaceAll(pullSecretsDirectory, join(directory, "secrets"))
    .replaceAll(archivesDirectory, join(directory, "archives"));
  const variables = Object.fromEntries(planned.environment.map(({ name, value }) => [name, value]));
  const env = { PATH: `${directory}:${process.env["PATH"]}`, ...variables };
  await run("sh", ["-c", script, "preload", ...planned.images], { env });
  return (await readFile(log, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => line.replaceAll(directory, ""));
}

test("what is there is not pulled, and without secrets images are pulled without", async () => {
  expect(await preload(["present:1", "public:1"], [])).toEqual([
    "image inspect present:1",
    "image inspect public:1",
    "pull public:1",
  ]);
});

test("each secret is tried in turn, then none; what cannot be had stops nothing", async () => {
  expect(await preload(["private:1", "nowhere:1"], ["0", "1"])).toEqual([
    "image inspect private:1",
    "--config /secrets/0 pull private:1",
    "--config /secrets/1 pull private:1",
    "image inspect nowhere:1",
    "--config /secrets/0 pull nowhere:1",
    "--config /secrets/1 pull nowhere:1",
    "pull nowhere:1",
  ]);
});

const version = (minor: number) => ({ major: 1, minor, patch: 0 });

test("archives come from image volumes where every node has them", async () => {
  await mkdir(join(directory, "archives/0"), { recursive: true });
  await writeFile(join(directory, "archives/0/nodeenv.tar"), "nodeenv");
  const cluster = { apiServer: version(36), oldestKubelet: version(35) };
  expect(await preload([], ["0"], ["archives:1"], cluster)).toEqual(["load --input /archives/0/nodeenv.tar"]);
});

test.each([{}, { apiServer: version(36), oldestKubelet: version(34) }])(
  "elsewhere they are read out of a pulled image: %j",
  async (cluster) => {
    await mkdir(join(directory, "files/images"), { recursive: true });
    await writeFile(join(directory, "files/images/nodeenv.tar"), "nodeenv");
    await writeFile(join(directory, "files/README"), "no archive");
    await run("tar", [
      "-cf",
      join(directory, "image.tar"),
      "-C",
      join(directory, "files"),
      "images/nodeenv.tar",
      "README",
    ]);
    expect(await preload([], [], ["archives:1"], cluster)).toEqual([
      "pull archives:1",
      "create archives:1 none",
      "export id",
      "export id",
      "load nodeenv",
      "rm id",
    ]);
  },
);
