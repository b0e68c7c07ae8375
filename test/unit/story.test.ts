import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { hear, listen, type Heard } from "../integration/emulator/network/answers.ts";
import { newStory, type Story } from "../story.ts";

describe("a story", () => {
  let done: string[];
  let cases: Map<string, () => Promise<void>>;
  let story: Story;

  beforeEach(() => {
    done = [];
    cases = new Map();
    story = newStory({
      register: (title, { skip }, run) => {
        if (!skip) cases.set(title, run);
      },
    });
  });

  const tell = (title: string) => story(title, () => void done.push(title));
  const run = (title: string): Promise<void> => cases.get(title)?.() ?? Promise.reject(new Error(`no case ${title}`));

  test("is told in its order, each case once", async () => {
    for (const title of ["a", "b", "c"]) tell(title);
    for (const title of ["a", "b", "c"]) await run(title);
    expect(done).toEqual(["a", "b", "c"]);
  });

  test("is gone through up to a case that is run alone, without those that are left out", async () => {
    tell("a");
    story("b", { skip: true }, () => void done.push("b"));
    for (const title of ["c", "d"]) tell(title);
    await run("c");
    expect(done).toEqual(["a", "c"]);
    await run("d");
    expect(done).toEqual(["a", "c", "d"]);
  });

  test("notes what nodes answer to a case, and not to those before it", async () => {
    for (const title of ["a", "b"]) story(title, () => hear(title, "answer"));
    const heard: Heard[] = [];
    await listen(heard, () => run("b"));
    expect(heard).toMatchObject([{ what: "b" }]);
  });

  test("goes on after a failure, which is the cause of the next one", async () => {
    story("a", () => Promise.reject(new Error("the first")));
    tell("b");
    story("c", () => Promise.reject(new Error("the second")));
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    await expect(run("c")).rejects.toMatchObject({ message: "the second", cause: { message: "the first" } });
    expect(done).toEqual(["b"]);
    expect(warn.mock.calls).toEqual([['before it failed "a":', expect.objectContaining({ message: "the first" })]]);
    warn.mockRestore();
  });

  test("gives each case its own time", async () => {
    story("a", { timeout: 1 }, async () => {
      await sleep(60_000, undefined, { ref: false });
    });
    await expect(run("a")).rejects.toThrow('"a" timed out in 1 ms');
  });
});
