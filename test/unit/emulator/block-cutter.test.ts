import { describe, expect, test } from "vitest";
import { BlockCutter, type Message } from "../../emulator/orderer/block-cutter.ts";

const limits = { maxMessageCount: 3, preferredMaxBytes: 100 };

function message(size: number): Message {
  return { bytes: new Uint8Array(), size };
}

function sizes(batches: readonly (readonly Message[])[]): readonly (readonly number[])[] {
  return batches.map((batch) => batch.map(({ size }) => size));
}

describe("a block", () => {
  test("is cut when it has enough messages", () => {
    const cutter = new BlockCutter();
    expect(sizes(cutter.ordered(message(1), limits))).toEqual([]);
    expect(sizes(cutter.ordered(message(2), limits))).toEqual([]);
    expect(cutter.hasPending).toBe(true);
    expect(sizes(cutter.ordered(message(3), limits))).toEqual([[1, 2, 3]]);
    expect(cutter.hasPending).toBe(false);
  });

  test("is cut before a message that would make it too big", () => {
    const cutter = new BlockCutter();
    cutter.ordered(message(60), limits);
    expect(sizes(cutter.ordered(message(50), limits))).toEqual([[60]]);
    expect(sizes([cutter.cut()])).toEqual([[50]]);
  });

  test("holds a message alone that is too big for any, after what waited", () => {
    const cutter = new BlockCutter();
    cutter.ordered(message(60), limits);
    expect(sizes(cutter.ordered(message(101), limits))).toEqual([[60], [101]]);
  });

  test("of one message is cut at once", () => {
    expect(sizes(new BlockCutter().ordered(message(1), { ...limits, maxMessageCount: 1 }))).toEqual([[1]]);
  });
});
