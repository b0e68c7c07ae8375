// What starts the program in an image: with what a rehearsal compiled, without it, and with what is no good.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cacheOf } from "../../../webhook/compiled.ts";
import { bundleOf } from "./bundle.ts";
import { startCluster, type FakeCluster } from "./cluster.ts";
import { ready, startWebhook } from "./webhook-process.ts";

let directory: string;
let program: string;
let cluster: FakeCluster;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kubectl-fabric-start-"));
  program = join(directory, "webhook-program.cjs");
  await Promise.all([
    build(bundleOf("webhook/main.ts", program)),
    build(bundleOf("webhook/start.ts", join(directory, "webhook.cjs"))),
    build(bundleOf("rehearsal.ts", join(directory, "rehearsal.cjs"))),
  ]);
  cluster = await startCluster({ org1: {} });
  await writeFile(join(directory, "kubeconfig"), cluster.kubeconfig);
});

afterAll(async () => {
  await cluster.close();
  await rm(directory, { recursive: true, force: true });
});

function rehearse(): void {
  execFileSync(process.execPath, [join(directory, "rehearsal.cjs"), program], { stdio: "pipe" });
}

/** In a process of its own: V8 remembers within one what it has compiled. */
function compiled(): { readonly taken?: boolean; readonly bytes: number } {
  const text = `
import { compilationOf, readCache } from "./webhook/compiled.ts";
const program = ${JSON.stringify(program)};
const { script, taken } = compilationOf(program, readCache(program));
console.log(JSON.stringify({ taken, bytes: script.createCachedData().length }));`;
  const args = ["--input-type=module", "--eval", text];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as ReturnType<typeof compiled>;
}

async function startsWell(): Promise<void> {
  const webhook = await startWebhook(join(directory, "webhook.cjs"), join(directory, "kubeconfig"), []);
  await ready(webhook);
  expect(await webhook.end()).toBe(0);
}

test("without anything compiled it starts as it is", async () => {
  rmSync(cacheOf(program), { force: true });
  expect(compiled().taken).toBeUndefined();
  await startsWell();
});

test("a rehearsal leaves what V8 takes and everybody may read, with the functions that ran", async () => {
  rmSync(cacheOf(program), { force: true });
  const untouched = compiled();
  rehearse();
  expect(statSync(cacheOf(program)).mode & 0o777).toBe(0o644);
  expect(compiled().taken).toBe(true);
  expect(compiled().bytes).toBeGreaterThan(2 * untouched.bytes);
  await startsWell();
});

test("what V8 does not take changes nothing", async () => {
  rehearse();
  const bytes = readFileSync(cacheOf(program));
  writeFileSync(cacheOf(program), bytes.fill(0, 0, 64));
  expect(compiled().taken).toBe(false);
  await startsWell();
});

test("a program that does not answer fails the rehearsal, and leaves nothing", () => {
  const broken = join(directory, "broken.cjs");
  writeFileSync(broken, `process.stdout.write('{"level":"error","message":"cannot run"}\\n');`);
  expect(() => execFileSync(process.execPath, [join(directory, "rehearsal.cjs"), broken], { stdio: "pipe" })).toThrow(
    "cannot run",
  );
  expect(existsSync(cacheOf(broken))).toBe(false);
});
