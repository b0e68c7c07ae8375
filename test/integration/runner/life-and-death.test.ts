import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { extract, pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createShell, installShell, start } from "./hostile.ts";
import { callApi, noRunner, startRunner, type TestRunner } from "./runner-process.ts";

const patience = { timeout: 20_000, interval: 50 };
const hash = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const newMark = (): string => `6${Math.floor(Math.random() * 1e8)}`;

/** Processes anywhere that run what only one test runs. */
async function alive(mark: string): Promise<number> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line.startsWith(`sleep\0${mark}\0`)).length;
}

/** What a kill leaves in the state's directory, below it and beside the images. */
async function leftovers(state: string): Promise<readonly string[]> {
  const names = await readdir(state);
  const [store = ""] = names.filter((name) => name.startsWith("store-"));
  return [...names.filter((name) => name !== store), ...(await readdir(join(state, store, "work")))];
}

/** The file of an image, as a container made of it has it. */
async function contentOf(runner: TestRunner, image: string): Promise<Buffer | undefined> {
  const name = `look-${randomBytes(4).toString("hex")}`;
  const made = await callApi(runner.socket, "POST", `/containers/create?name=${name}`, { Image: image, Cmd: ["true"] });
  if (made.status !== 201) return undefined;
  const { body } = await callApi(runner.socket, "GET", `/containers/${name}/archive?path=/usr/local/src/content`);
  await callApi(runner.socket, "DELETE", `/containers/${name}`);
  const archive = extract();
  Readable.from([body]).pipe(archive);
  for await (const entry of archive) return buffer(entry);
  return undefined;
}

async function contextOf(content: Buffer): Promise<Buffer> {
  const files = pack();
  files.entry({ name: "content" }, content);
  files.finalize();
  const context = pack();
  context.entry(
    { name: "Dockerfile" },
    'FROM hyperledger/fabric-nodeenv:2.5\nADD binpackage.tar /usr/local/src\nLABEL org.hyperledger.fabric.chaincode.type="NODE"',
  );
  context.entry({ name: "binpackage.tar" }, await buffer(files));
  context.finalize();
  return buffer(context);
}

describe.skipIf(noRunner)("a runner that is killed", () => {
  let runner: TestRunner;

  beforeAll(async () => {
    runner = await startRunner();
  });

  afterAll(async () => {
    await runner?.stop();
  });

  it("at any moment of a build has afterwards each image whole or not at all, and all that it answered for", async () => {
    const images = new Map<string, string>();
    const answered = new Set<string>();
    const outcomes = new Set<string>();
    // From before the first byte to after the answer: a build of this size takes some 50 ms.
    for (const milliseconds of [0, 5, 10, 15, 20, 30, 40, 50, 65, 80, 120, 400]) {
      const name = `dev-peer0-${images.size}`;
      const content = randomBytes(4 << 20);
      const context = await contextOf(content);
      images.set(name, hash(content));
      const built = callApi(runner.socket, "POST", `/build?t=${name}`, context).then(
        ({ status }) => void (status === 200 && answered.add(name)),
        () => undefined,
      );
      await Promise.race([built, sleep(milliseconds)]);
      await runner.process.kill();
      await built;
      await runner.process.start();
      expect(await leftovers(runner.state)).toEqual([]);
      for (const [image, expected] of images) {
        const found = await contentOf(runner, image);
        const allowed = answered.has(image) ? [expected] : [expected, undefined];
        expect(allowed).toContain(found && hash(found));
        outcomes.add(found === undefined ? "gone" : "whole");
      }
    }
    // Else the moments were badly chosen, and nothing was tested.
    expect([...outcomes].sort()).toEqual(["gone", "whole"]);
    const listed = (await callApi(runner.socket, "GET", "/images/json")).json() as readonly {
      readonly RepoTags: readonly string[];
    }[];
    const names = listed.flatMap(({ RepoTags }) => RepoTags).filter((name) => name.startsWith("dev-"));
    expect([...answered].filter((name) => !names.includes(`${name}:latest`))).toEqual([]);
  });

  it("while an image is loaded, removed or renamed has each afterwards whole or not at all", async () => {
    const content = randomBytes(2 << 20);
    const context = await contextOf(content);
    const build = () => callApi(runner.socket, "POST", "/build?t=dev-kept", context);
    expect((await build()).status).toBe(200);
    const saved = (await callApi(runner.socket, "GET", "/images/dev-kept/get")).body;
    const changes = [
      () => callApi(runner.socket, "POST", "/images/load", saved),
      () => callApi(runner.socket, "POST", "/images/dev-kept/tag?repo=dev-other&tag=latest"),
      () => callApi(runner.socket, "DELETE", "/images/dev-other"),
    ];
    for (const change of changes) {
      for (const milliseconds of [1, 4, 10]) {
        const done = change().catch(() => undefined);
        await Promise.race([done, sleep(milliseconds)]);
        await runner.process.kill();
        await done;
        await runner.process.start();
        expect(await leftovers(runner.state)).toEqual([]);
        expect(hash((await contentOf(runner, "dev-kept")) ?? Buffer.of())).toBe(hash(content));
      }
    }
  });

  it("leaves nothing of a build or of chaincode, however deep it hides", async () => {
    const mark = newMark();
    await installShell(runner, "dev-shell");
    const hidden = `trap '' TERM; (setsid sh -c 'sleep ${mark} & sleep ${mark}' &); sleep ${mark}`;
    await createShell(runner, "dev-shell", "chaincode", hidden);
    await callApi(runner.socket, "POST", "/containers/create?name=build", {
      Image: "hyperledger/fabric-nodeenv:2.5",
      Cmd: ["/bin/sh", "-c", hidden],
    });
    for (const name of ["chaincode", "build"]) await start(runner, name);
    await expect.poll(() => alive(mark), patience).toBe(6);
    await runner.process.kill();
    await expect.poll(() => alive(mark), patience).toBe(0);
    await runner.process.start();
    expect((await callApi(runner.socket, "GET", "/containers/json?all=1")).json()).toEqual([]);
    expect(await leftovers(runner.state)).toEqual([]);
  });

  it("does not mind what others left in its state", async () => {
    await runner.process.kill();
    const [store = ""] = (await readdir(runner.state)).filter((name) => name.startsWith("store-"));
    for (const file of ["names.json", "images/0000.json", "layers/0000.tar", "work/half"]) {
      await writeFile(join(runner.state, store, file), "{ half");
    }
    await runner.process.start();
    expect(await leftovers(runner.state)).toEqual([]);
    expect((await callApi(runner.socket, "GET", "/_ping")).status).toBe(200);
    await installShell(runner, "dev-again");
    expect((await callApi(runner.socket, "GET", "/images/dev-again/json")).status).toBe(200);
  });
});

describe.skipIf(noRunner)("a second runner on the same state", () => {
  it("waits until the first was killed, then has its images", async () => {
    const first = await startRunner();
    const mark = newMark();
    await installShell(first, "dev-shell");
    await createShell(first, "dev-shell", "chaincode", `sleep ${mark}`);
    await start(first, "chaincode");
    await expect.poll(() => alive(mark), patience).toBe(1);
    const before = await leftovers(first.state);
    const starting = startRunner(`--state=${first.state}`);
    try {
      expect(await Promise.race([starting, sleep(3000, "waiting")])).toBe("waiting");
      // What runs keeps its directory: a runner that starts clears away all of them.
      expect(await leftovers(first.state)).toEqual(expect.arrayContaining([...before]));
      expect(await alive(mark)).toBe(1);
      expect((await callApi(first.socket, "GET", "/_ping")).status).toBe(200);
      await first.process.kill();
      const second = await starting;
      expect(second.process.output()).toMatch(/waits for the runner before/);
      expect(await alive(mark)).toBe(0);
      expect(await leftovers(first.state)).toEqual([]);
      expect((await callApi(second.socket, "GET", "/images/dev-shell/json")).status).toBe(200);
      expect((await callApi(second.socket, "GET", "/containers/json?all=1")).json()).toEqual([]);
    } finally {
      await first.process.kill();
      await (await starting).stop();
      await first.stop();
    }
  });

  it("ends when it is told to while it waits, and takes nothing with it", async () => {
    const first = await startRunner();
    try {
      const confine = join(dirname(first.state), "bin/confine");
      const waiting = spawn(confine, ["lock", first.state], { stdio: ["pipe", "pipe", "inherit"] });
      const [said] = (await once(waiting.stdout, "data")) as readonly Buffer[];
      expect(said?.toString()).toBe("waiting\n");
      const exited = once(waiting, "exit");
      waiting.stdin.end();
      expect(await exited).toEqual([0, null]);
      expect((await callApi(first.socket, "GET", "/_ping")).status).toBe(200);
      expect(first.process.output()).not.toMatch(/state's lock|cannot be locked/);
    } finally {
      await first.stop();
    }
  });
});

describe.skipIf(noRunner)("a runner that is told to end", () => {
  it("asks its chaincode first, ends what does not listen, keeps its images, and leaves neither socket nor process", async () => {
    const runner = await startRunner();
    try {
      const [polite, deaf] = [newMark(), newMark()];
      await installShell(runner, "dev-shell");
      await createShell(runner, "dev-shell", "polite", `trap 'echo goodbye; exit 0' TERM; sleep ${polite} & wait`);
      await createShell(runner, "dev-shell", "deaf", `trap '' TERM; setsid sleep ${deaf} & wait; sleep ${deaf}`);
      for (const name of ["polite", "deaf"]) await start(runner, name);
      await expect.poll(async () => (await alive(polite)) + (await alive(deaf)), patience).toBeGreaterThan(1);
      const log = callApi(runner.socket, "GET", "/containers/polite/logs?stdout=1&follow=1");
      await sleep(100);
      await runner.process.stop();
      expect((await log).body.toString()).toContain("goodbye");
      expect(runner.process.output()).toMatch(/"message":"ended"\}\s*$/);
      expect([await alive(polite), await alive(deaf)]).toEqual([0, 0]);
      expect(existsSync(runner.socket)).toBe(false);
      expect(await leftovers(runner.state)).toEqual([]);
      await runner.process.start();
      expect((await callApi(runner.socket, "GET", "/images/dev-shell/json")).status).toBe(200);
    } finally {
      await runner.stop();
    }
  });
});
