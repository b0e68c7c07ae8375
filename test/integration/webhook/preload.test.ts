// The script that preloads images, by a real shell and a docker that notes what it is asked.
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PULL, PULL_SECRETS_DIRECTORY } from "../../../webhook/inject/sidecar.ts";
import { run } from "../../sandbox/command.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "kubectl-fabric-preload-"));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

/** `docker image inspect` succeeds for what is there; a pull needs the credentials that are right for it. */
async function preload(images: readonly string[], secrets: readonly string[]): Promise<readonly string[]> {
  const log = join(directory, "log");
  const docker = `#!/bin/sh
echo "$*" >>${log}
case "$*" in "image inspect present:1"|"pull public:1"|"--config ${directory}/secrets/1 pull private:1") exit 0;; *) exit 1;; esac`;
  await writeFile(join(directory, "docker"), docker);
  await chmod(join(directory, "docker"), 0o755);
  for (const secret of secrets) {
    await mkdir(join(directory, "secrets", secret), { recursive: true });
    await writeFile(join(directory, "secrets", secret, "config.json"), "{}");
  }
  const script = PULL.replaceAll(PULL_SECRETS_DIRECTORY, join(directory, "secrets"));
  await run("sh", ["-c", script, "preload", ...images], { env: { PATH: `${directory}:${process.env["PATH"]}` } });
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
