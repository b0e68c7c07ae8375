import { ledger, peer } from "@hyperledger/fabric-protos";
import { describe, expect, test } from "vitest";
import { checkReads, PendingWrites, writesOf } from "../../emulator/ledger/mvcc.ts";
import { Simulator } from "../../emulator/ledger/simulator.ts";
import { State } from "../../emulator/ledger/state.ts";

const { VALID, MVCC_READ_CONFLICT, PHANTOM_READ_CONFLICT } = peer.TxValidationCode;
const text = (value: string): Buffer => Buffer.from(value);

function stateOf(...keys: readonly string[]): State {
  const state = new State();
  state.apply(
    keys.map((key) => ({ namespace: "cc", key, value: text(key) })),
    { block: 1, transaction: 0 },
  );
  return state;
}

type ReadWriteSet = ledger.rwset.TxReadWriteSet;

function simulated(state: State, run: (simulator: Simulator) => void): ReadWriteSet {
  const simulator = new Simulator(state);
  run(simulator);
  return ledger.rwset.TxReadWriteSet.deserializeBinary(simulator.results().publicWrites);
}

function write(state: State, key: string, value: string | undefined, block = 2): void {
  state.apply([{ namespace: "cc", key, value: value === undefined ? undefined : text(value) }], {
    block,
    transaction: 0,
  });
}

describe("a read", () => {
  test("stands while nothing was written", () => {
    const state = stateOf("a");
    const set = simulated(state, (simulator) => void simulator.get("cc", "a"));
    expect(checkReads(set, state, new PendingWrites())).toBe(VALID);
  });

  test("falls when the key was written since, was made, or was deleted", () => {
    for (const change of ["a", "b"]) {
      const state = stateOf("a");
      const set = simulated(state, (simulator) => void simulator.get("cc", change));
      write(state, change, change === "a" ? undefined : "new");
      expect(checkReads(set, state, new PendingWrites())).toBe(MVCC_READ_CONFLICT);
    }
  });

  test("falls when an earlier transaction of the block writes the key", () => {
    const state = stateOf("a");
    const first = simulated(state, (simulator) => simulator.put("cc", "a", text("1")));
    const second = simulated(state, (simulator) => void simulator.get("cc", "a"));
    const pending = new PendingWrites();
    pending.add(writesOf(first));
    expect(checkReads(second, state, pending)).toBe(MVCC_READ_CONFLICT);
  });

  test("of a private hash falls when the hash was written", () => {
    const state = new State();
    const reading = simulated(state, (simulator) => void simulator.getPrivateHash("cc", "secrets", "pin"));
    const writing = simulated(state, (simulator) => simulator.putPrivate("cc", "secrets", "pin", text("1234")));
    expect(checkReads(reading, state, new PendingWrites())).toBe(VALID);
    state.apply(writesOf(writing), { block: 1, transaction: 0 });
    expect(checkReads(reading, state, new PendingWrites())).toBe(MVCC_READ_CONFLICT);
  });
});

describe("a range", () => {
  const range = (state: State, limit?: number): ReadWriteSet =>
    simulated(state, (simulator) => void simulator.range("cc", "b", "e", limit));

  test("stands while what is outside of it changes", () => {
    const state = stateOf("a", "b", "c", "e");
    const set = range(state);
    write(state, "a", undefined);
    write(state, "e", "x");
    expect(checkReads(set, state, new PendingWrites())).toBe(VALID);
  });

  test("falls when a key comes, goes or changes", () => {
    for (const [key, value] of [
      ["d", "new"],
      ["c", undefined],
      ["c", "x"],
    ] as const) {
      const state = stateOf("b", "c");
      const set = range(state);
      write(state, key, value);
      expect(checkReads(set, state, new PendingWrites())).toBe(PHANTOM_READ_CONFLICT);
    }
  });

  test("counts only as far as it was read", () => {
    const state = stateOf("b", "c", "d");
    const set = range(state, 2);
    write(state, "d", "x");
    expect(checkReads(set, state, new PendingWrites())).toBe(VALID);
    write(state, "c", "x");
    expect(checkReads(set, state, new PendingWrites())).toBe(PHANTOM_READ_CONFLICT);
  });
});

describe("a simulation", () => {
  test("does not see its own writes", () => {
    const simulator = new Simulator(stateOf("a"));
    simulator.put("cc", "a", text("new"));
    expect(String(simulator.get("cc", "a"))).toBe("a");
  });

  test("orders keys as UTF-8 does", () => {
    const simulator = new Simulator(stateOf("\u{10ffff}", "\ue000", "b", "a\0"));
    expect(simulator.range("cc", "", "").map(({ key }) => key)).toEqual(["a\0", "b", "\ue000", "\u{10ffff}"]);
  });
});
