import { spawn } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { takeLock } from "../../sandbox/lock.ts";

/** One for each test, so that neither a sandbox nor another test has it. */
let counter = 0;
const newName = () => `\0kubectl-fabric-sandbox-test-${process.pid}-${counter++}`;

describe.runIf(process.platform === "linux")("the lock", () => {
  test("is had by one at a time; the next one is told who has it", async () => {
    const name = newName();
    const events: string[] = [];
    const first = await takeLock("up", () => {}, undefined, name);
    const second = takeLock(
      "down",
      (owner) => {
        events.push(`waiting for ${owner}`);
        void first.release().then(() => events.push("released"));
      },
      undefined,
      name,
    ).then((lock) => {
      events.push("taken");
      return lock;
    });
    await (await second).release();
    expect(events[0]).toBe(`waiting for up (pid ${process.pid})`);
    expect(events.slice(1).sort()).toEqual(["released", "taken"]);
  });

  test("is free again after its owner was killed", async () => {
    const name = newName();
    const module = join(import.meta.dirname, "../../sandbox/lock.ts");
    const program = `import(${JSON.stringify(module)}).then(async ({ takeLock }) => {
      await takeLock("up", () => {}, undefined, ${JSON.stringify(name)});
      console.log("taken");
      setInterval(() => {}, 1e6);
    })`;
    const owner = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => owner.stdout.once("data", resolve));
    let waited = "";
    const lock = await takeLock(
      "down",
      (text) => {
        waited = text;
        owner.kill("SIGKILL");
      },
      undefined,
      name,
    );
    expect(waited).toBe(`up (pid ${owner.pid})`);
    await lock.release();
  });

  test("need not be waited for for ever", async () => {
    const name = newName();
    const cancel = new AbortController();
    const first = await takeLock("up", () => {}, undefined, name);
    const second = takeLock("down", () => cancel.abort(), cancel.signal, name);
    await expect(second).rejects.toMatchObject({ code: "interrupted" });
    await first.release();
  });
});
