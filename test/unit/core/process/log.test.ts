import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { gatherLines, newLog } from "../../../../core/process/log.ts";

let written: string[];
let gathered: ReturnType<typeof gatherLines>;

beforeEach(() => {
  vi.useFakeTimers();
  written = [];
  gathered = gatherLines((text) => written.push(text));
});

afterEach(() => vi.useRealTimers());

const log = () =>
  newLog(
    (line) => gathered.write(line),
    () => new Date(0),
  );

test("lines of the same moment are written as one, and none waits long", () => {
  log().info("one");
  log().info("two");
  expect(written).toEqual([]);
  vi.advanceTimersByTime(100);
  expect(written.map((text) => text.trimEnd().split("\n").length)).toEqual([2]);
  log().info("three");
  vi.advanceTimersByTime(100);
  expect(written).toHaveLength(2);
});

test("a warning is written at once, after what came before it", () => {
  log().info("before");
  log().warn("careful");
  expect(written).toHaveLength(1);
  expect(written[0]).toMatch(/"before".*\n.*"careful"/);
});

test("nothing is lost at the end, and nothing is written twice", () => {
  log().info("last");
  gathered.flush();
  gathered.flush();
  vi.advanceTimersByTime(100);
  expect(written).toHaveLength(1);
});

test("much is not held back at all", () => {
  for (let line = 0; line < 300; line++) log().info("x".repeat(100));
  expect(written.join("").length).toBeGreaterThan(16_000);
});
