import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { extract, pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { alive, createShell, installShell, newMark, start } from "./hostile.ts";
import { callApi, newRunner, noRunner, startRunner, type TestRunner } from "./runner-process.ts";

const patience = { timeout: 20_000, interval: 50 };
const hash = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
/** When to kill, as shares of the time that the whole takes: machines differ. */
const shares = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

/** Milliseconds that it takes here and now. */
async function duration(action: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await action();
  return performance.now() - begin;
}

/** What a kill leaves in the state's directory, below it and beside the images. */
async function leftovers(state: string): Promise<readonly string[]> {
  const names = await readdir(state);
  const [store = ""] = names.filter((name) => name.startsWith("store-"));
  return [...names.filter((name) => name !== store), ...(await readdir(join(state, store, "work")))];
}

/** The file of an image, as a container made of it has it. */
async function contentOf(runner: TestRunner, image: string): Promise<Buffer | undefined> {
  const name = "look";
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

  test("at any moment of a build has afterwards each image whole or not at all, and all that it answered for", async () => {
    const images = new Map<string, string>();
    const answered = new Set<string>();
    const outcomes = new Set<string>();
    const build = async () => {
      const name = `dev-peer0-${images.size}`;
      const content = Buffer.alloc(4 << 20, name);
      images.set(name, hash(content));
      const { status } = await callApi(runner.socket, "POST", `/build?t=${name}`, await contextOf(content));
      expect(status).toBe(200);
      answered.add(name);
    };
    const whole = await duration(build);
    for (const share of shares) {
      const built = build().catch(() => undefined);
      // The last one has been answered for.
      await (share === 1 ? built : Promise.race([built, sleep(share * whole)]));
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

  test("while an image is loaded, removed or renamed has each afterwards whole or not at all", async () => {
    const content = Buffer.alloc(2 << 20, "kept");
    const post = (path: string, body?: Buffer) => callApi(runner.socket, "POST", path, body);
    const change = async (done: ReturnType<typeof callApi>) => expect((await done).status).toBeLessThan(300);
    await change(post("/build?t=dev-kept", await contextOf(content)));
    const saved = (await callApi(runner.socket, "GET", "/images/dev-kept/get")).body;
    const nothing = async () => {};
    const tag = () => change(post("/images/dev-kept/tag?repo=dev-other&tag=latest"));
    const untag = () => change(callApi(runner.socket, "DELETE", "/images/dev-other"));
    for (const [before, act] of [
      [nothing, () => change(post("/images/load", saved))],
      [nothing, tag],
      [tag, untag],
    ] as const) {
      await before();
      const whole = await duration(act);
      for (const share of shares) {
        await before();
        const done = act().catch(() => undefined);
        await (share === 1 ? done : Promise.race([done, sleep(share * whole)]));
        await runner.process.kill();
        await done;
        await runner.process.start();
        expect(await leftovers(runner.state)).toEqual([]);
        for (const [image, allowed] of [
          ["dev-kept", [hash(content)]],
          ["dev-other", [hash(content), undefined]],
        ] as const) {
          const found = await contentOf(runner, image);
          expect(allowed).toContain(found && hash(found));
        }
      }
    }
  });

  test("leaves nothing of a build or of chaincode, however deep it hides", async () => {
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

  test("does not mind what others left in its state", async () => {
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
  test("waits until the first was killed, then has its images", async () => {
    const first = await startRunner();
    const mark = newMark();
    await installShell(first, "dev-shell");
    await createShell(first, "dev-shell", "chaincode", `sleep ${mark}`);
    await start(first, "chaincode");
    await expect.poll(() => alive(mark), patience).toBe(1);
    const before = await leftovers(first.state);
    const [second, later] = [await newRunner(`--state=${first.state}`), await newRunner()];
    let serves = false;
    const starting = second.process.start().then(() => (serves = true));
    try {
      await expect.poll(() => second.process.output(), patience).toMatch(/waits for the runner before/);
      // One that has nothing to wait for is through with its start by then, though it began later.
      await later.process.start();
      // What runs keeps its directory: a runner that starts clears away all of them.
      expect(await leftovers(first.state)).toEqual(expect.arrayContaining([...before]));
      expect(await alive(mark)).toBe(1);
      expect((await callApi(first.socket, "GET", "/_ping")).status).toBe(200);
      expect(serves).toBe(false);
      await first.process.kill();
      await starting;
      await expect.poll(() => alive(mark), patience).toBe(0);
      expect(await leftovers(first.state)).toEqual([]);
      expect((await callApi(second.socket, "GET", "/images/dev-shell/json")).status).toBe(200);
      expect((await callApi(second.socket, "GET", "/containers/json?all=1")).json()).toEqual([]);
    } finally {
      await first.process.kill();
      await starting;
      await Promise.all([later.stop(), second.stop()]);
      await first.stop();
    }
  });

  test("ends when it is told to while it waits, and takes nothing with it", async () => {
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
  test("asks its chaincode first, ends what does not listen, keeps its images, and leaves neither socket nor process", async () => {
    const runner = await startRunner();
    try {
      const [polite, deaf] = [newMark(), newMark()];
      await installShell(runner, "dev-shell");
      const goodbye = `trap 'echo goodbye; exit 0' TERM; echo hello; sleep ${polite} & wait`;
      await createShell(runner, "dev-shell", "polite", goodbye);
      await createShell(runner, "dev-shell", "deaf", `trap '' TERM; setsid sleep ${deaf} & wait; sleep ${deaf}`);
      for (const name of ["polite", "deaf"]) await start(runner, name);
      await expect.poll(async () => [await alive(polite), await alive(deaf)], patience).toEqual([1, 1]);
      // What it says last comes to whoever listens.
      const path = "/containers/polite/logs?stdout=1&follow=1";
      const [log] = (await once(get({ socketPath: runner.socket, path }), "response")) as [IncomingMessage];
      expect(String((await once(log, "data"))[0])).toContain("hello");
      const rest = text(log);
      await runner.process.stop();
      expect(await rest).toContain("goodbye");
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

describe.skipIf(noRunner)("a runner that cannot serve", () => {
  test("ends, so that its probes do not say that all is well", async () => {
    const runner = await newRunner("--socket=/no/such/directory/docker.sock");
    try {
      await expect(runner.process.start()).rejects.toThrow(/found it ended: .*"cannot run".*docker\.sock/s);
    } finally {
      await runner.stop();
    }
  });
});
