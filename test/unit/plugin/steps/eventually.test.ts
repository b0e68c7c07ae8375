import { expect, test } from "vitest";
import { FabricError, type ErrorCode } from "../../../../plugin/error.ts";
import { eventually } from "../../../../plugin/steps/eventually.ts";

const signal = new AbortController().signal;

/** Fails with these codes, one after the other, then works. */
function failing(...codes: readonly ErrorCode[]) {
  let calls = 0;
  const attempt = async () => {
    const code = codes[calls++];
    if (code) throw new FabricError(code, `attempt ${calls}`);
    return calls;
  };
  return attempt;
}

test("tries again what may still come", async () => {
  const patience = { signal, retry: ["not-ready", "connection"] } as const;
  expect(await eventually(failing("not-ready", "connection"), patience)).toBe(3);
});

test("throws anything else at once", async () => {
  await expect(eventually(failing("not-ready", "rejected"), { signal, retry: ["not-ready"] })).rejects.toThrow(
    "attempt 2",
  );
});

test("throws the last failure when time is over", async () => {
  const never = failing(...Array.from({ length: 99 }, () => "not-ready" as const));
  await expect(eventually(never, { signal, within: 350, retry: ["not-ready"] })).rejects.toMatchObject({
    code: "not-ready",
  });
});

test("an abort ends it", async () => {
  const controller = new AbortController();
  const attempt = async () => {
    controller.abort();
    throw new FabricError("not-ready", "still waiting");
  };
  await expect(eventually(attempt, { signal: controller.signal, retry: ["not-ready"] })).rejects.toThrow(
    "still waiting",
  );
});
