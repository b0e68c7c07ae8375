import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { newLifetime, runProgram, startProgram, temporaryFolder } from "../../../build/lifetime.ts";

const never = (): AbortSignal => new AbortController().signal;

test("ends all that was begun, the last first, and once", async () => {
  const ended: string[] = [];
  const lifetime = newLifetime(never());
  for (const name of ["network", "daemon"]) {
    expect(
      await lifetime.begin(
        () => name,
        (begun) => void ended.push(begun),
      ),
    ).toBe(name);
  }
  await lifetime[Symbol.asyncDispose]();
  await lifetime[Symbol.asyncDispose]();
  expect(ended).toEqual(["daemon", "network"]);
});

test("ends the others when one fails to end, and tells of the failure", async () => {
  const ended: string[] = [];
  const lifetime = newLifetime(never());
  await lifetime.begin(
    () => "first",
    (begun) => void ended.push(begun),
  );
  await lifetime.begin(
    () => "second",
    () => Promise.reject(new Error("it hangs")),
  );
  await expect(lifetime[Symbol.asyncDispose]()).rejects.toThrow("it hangs");
  expect(ended).toEqual(["first"]);
});

test("what fails to begin is not ended", async () => {
  const lifetime = newLifetime(never());
  const begun = lifetime.begin(
    () => Promise.reject(new Error("no port")),
    () => expect.unreachable(),
  );
  await expect(begun).rejects.toThrow("no port");
  await lifetime[Symbol.asyncDispose]();
});

test("what is just being begun when the lifetime ends is waited for, then ended", async () => {
  const ended: string[] = [];
  const starting = Promise.withResolvers<string>();
  const lifetime = newLifetime(never());
  const begun = lifetime.begin(
    () => starting.promise,
    (name) => void ended.push(name),
  );
  const over = lifetime[Symbol.asyncDispose]();
  expect(ended).toEqual([]);
  starting.resolve("daemon");
  await over;
  expect(ended).toEqual(["daemon"]);
  expect(await begun).toBe("daemon");
});

describe("begins nothing any more", () => {
  test("when it is stopped", async () => {
    const stop = new AbortController();
    const lifetime = newLifetime(stop.signal);
    stop.abort(new Error("stopped"));
    await expect(lifetime.begin(expect.unreachable, expect.unreachable)).rejects.toThrow("stopped");
  });

  test("when it is over", async () => {
    const lifetime = newLifetime(never());
    await lifetime[Symbol.asyncDispose]();
    await expect(lifetime.begin(expect.unreachable, expect.unreachable)).rejects.toThrow(ReferenceError);
  });
});

describe("work that may be stopped", () => {
  test("gives its result, or its failure", async () => {
    const lifetime = newLifetime(never());
    expect(await lifetime.unlessStopped(Promise.resolve(1))).toBe(1);
    await expect(lifetime.unlessStopped(Promise.reject(new Error("no")))).rejects.toThrow("no");
  });

  test("is given up at once, and may fail then", async () => {
    const stop = new AbortController();
    const work = Promise.withResolvers<void>();
    const given = newLifetime(stop.signal).unlessStopped(work.promise);
    stop.abort(new Error("stopped"));
    await expect(given).rejects.toThrow("stopped");
    work.reject(new Error("the peer has gone"));
  });

  test("is not waited for when the stop came before", async () => {
    const stop = new AbortController();
    stop.abort(new Error("stopped"));
    const lifetime = newLifetime(stop.signal);
    await expect(lifetime.unlessStopped(new Promise(() => {}))).rejects.toThrow("stopped");
    await expect(lifetime.unlessStopped(Promise.reject(new Error("the peer has gone")))).rejects.toThrow("stopped");
  });
});

test("a folder goes with its lifetime", async () => {
  const lifetime = newLifetime(never());
  const folder = await temporaryFolder(lifetime, "lifetime-");
  expect(existsSync(folder)).toBe(true);
  await lifetime[Symbol.asyncDispose]();
  expect(existsSync(folder)).toBe(false);
});

describe("a program", () => {
  const node = (source: string): readonly string[] => [process.execPath, "--eval", source];

  test("gives what it writes, and tells how it failed", async () => {
    await using lifetime = newLifetime(never());
    const piped = { stdio: ["ignore", "pipe", "ignore"] } as const;
    expect(await runProgram(lifetime, node("console.log(1 + 1)"), { ...piped, stdio: [...piped.stdio] })).toBe("2\n");
    await expect(runProgram(lifetime, node("process.exit(3)"))).rejects.toThrow("expected exit status 0, found 3");
    await expect(runProgram(lifetime, node("process.kill(process.pid, 'SIGKILL')"))).rejects.toThrow("found SIGKILL");
    await expect(runProgram(lifetime, ["no-such-program"])).rejects.toThrow("ENOENT");
  });

  test("ends with its lifetime", async () => {
    const lifetime = newLifetime(never());
    const child = await startProgram(lifetime, node("setInterval(() => {}, 1e6)"));
    expect(child.signalCode).toBeNull();
    await lifetime[Symbol.asyncDispose]();
    expect(child.signalCode).toBe("SIGTERM");
  });
});
