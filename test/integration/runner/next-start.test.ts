// What a runner prepares for the next start of chaincode: it must be quick, whole, and nobody's but the next container's.
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attack, createShell, ended, installShell, outputOf, start } from "./hostile.ts";
import { callApi, noRunner, startRunner, type TestRunner } from "./runner-process.ts";

const patience = { timeout: 20_000, interval: 50 };
const image = "dev-peer0-next";

describe.skipIf(noRunner)("the next start of chaincode", () => {
  let runner: TestRunner;
  const directories = async (kind: string) =>
    (await readdir(runner.state)).filter((name) => name.startsWith(`${kind}-`)).map((name) => join(runner.state, name));
  const inodeOf = async (path: string | undefined) => (await stat(path ?? "")).ino;
  const preparedBytes = async (): Promise<number> => {
    const text = await (await fetch(`${runner.probes}/metrics`)).text();
    return Number(/^kubectl_fabric_runner_prepared_bytes (\d+)/m.exec(text)?.[1]);
  };
  /** The directory that is unpacked, by its path. */
  const prepared = async (): Promise<string> => {
    const found = async () =>
      (await directories("spare")).map((root) => ({ root, whole: existsSync(join(root, "usr/local/src/code.js")) }));
    await expect.poll(found, patience).toEqual([{ root: expect.any(String), whole: true }]);
    const [{ root } = { root: "" }] = await found();
    return root;
  };
  const remove = (name: string) => callApi(runner.socket, "DELETE", `/containers/${name}?force=1`);
  const sees = 'cd "$CONTAINER_ROOT/usr/local/src"; for f in *; do echo "$f: $(cat $f)"; done';

  beforeAll(async () => {
    runner = await startRunner();
    await installShell(runner, image, { "code.js": "as built", "kept.txt": "kept" });
  });

  afterAll(async () => {
    await runner?.stop();
  });

  test("takes what was unpacked meanwhile, in which nothing is that the chaincode before did", async () => {
    const spoil =
      'cd "$CONTAINER_ROOT/usr/local/src"; echo evil > code.js; rm kept.txt; echo evil > new.js; cat code.js';
    const { output } = await attack(runner, image, spoil);
    expect(output).toBe("evil\n");
    const ready = await prepared();
    await expect.poll(preparedBytes, patience).toBeGreaterThan(0);
    const inode = await inodeOf(ready);
    await createShell(runner, image, "second", sees);
    expect(await directories("spare")).toEqual([]);
    const [root, ...others] = await directories("container");
    expect(others).toEqual([]);
    // It is the very directory, under a name that nobody has seen.
    expect(await inodeOf(root)).toBe(inode);
    const end = ended(runner, "second");
    await start(runner, "second");
    expect(await end).toBe(0);
    expect(await outputOf(runner, "second")).toBe("code.js: as built\nindex.js: \nkept.txt: kept\n");
    await remove("second");
  });

  test("is out of reach for chaincode that runs, even by its name", async () => {
    await attack(runner, image, "true");
    const ready = await prepared();
    const file = join(ready, "usr/local/src/code.js");
    const reached = ["cat", "echo evil >>", "rm -f", "chmod 0"].map((deed) => `(${deed} ${file}) && echo REACHED`);
    await installShell(runner, "dev-peer0-other", {});
    const tries = `${reached.join("; ")}; ln ${file} mine && echo REACHED; ls ${runner.state} && echo REACHED; echo done`;
    const { output } = await attack(runner, "dev-peer0-other", tries);
    await callApi(runner.socket, "DELETE", "/images/dev-peer0-other");
    expect(output).toMatch(/done\n$/);
    expect(output).not.toContain("REACHED");
    expect(output).not.toContain("as built");
    expect(output.match(/[Pp]ermission denied|not permitted|cross-device/g)?.length).toBeGreaterThanOrEqual(6);
    await expect.poll(() => directories("spare"), patience).toEqual([ready]);
    const { output: after } = await attack(runner, image, sees);
    expect(after).toContain("code.js: as built");
  });

  test("does not wait for the removal of the last one", async () => {
    await createShell(runner, image, "removed", "sleep 600");
    const [root = ""] = await directories("container");
    await start(runner, "removed");
    await remove("removed");
    await expect(stat(root)).rejects.toThrow(/ENOENT/);
    await expect.poll(() => directories("gone"), patience).toEqual([]);
  });

  test("is prepared no more when the image is gone, or another took its name", async () => {
    await attack(runner, image, "true");
    await prepared();
    await installShell(runner, image, { "code.js": "second version" });
    await expect.poll(() => directories("spare"), patience).toEqual([]);
    const { output } = await attack(runner, image, sees);
    expect(output).toContain("code.js: second version");
    await prepared();
    await callApi(runner.socket, "DELETE", `/images/${image}`);
    await expect.poll(() => directories("spare"), patience).toEqual([]);
    await installShell(runner, image, { "code.js": "as built", "kept.txt": "kept" });
  });

  test("begins anew after a kill, with nothing left of what was prepared, and after an orderly end", async () => {
    const all = async () => (await readdir(runner.state)).filter((name) => !name.startsWith("store-"));
    await installShell(runner, image, { "code.js": "another version" });
    for (const end of ["kill", "stop"] as const) {
      await attack(runner, image, "true");
      await prepared();
      await runner.process[end]();
      // A kill leaves it, and perhaps what was to be removed; an orderly end leaves nothing.
      const left = await all();
      expect(left.some((name) => name.startsWith("spare-"))).toBe(end === "kill");
      expect(end === "kill" || left.length === 0).toBe(true);
      await runner.process.start();
      expect(await all()).toEqual([]);
      const { output } = await attack(runner, image, sees);
      expect(output).toContain("code.js: another version");
    }
  });
});
