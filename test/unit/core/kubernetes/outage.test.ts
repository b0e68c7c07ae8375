import { describe, expect, test } from "vitest";
import { ApiError } from "../../../../core/kubernetes/api-error.ts";
import { mayHaveArrived, pauseBefore } from "../../../../core/kubernetes/outage.ts";
import { unreachable } from "../../../../core/kubernetes/unreachable.ts";

const refusal = (code: number, retryAfter?: number) => new ApiError(code, { message: "no" }, "test", retryAfter);
const failure = (code: string) =>
  unreachable(Object.assign(new Error(code), { code }), { server: "https://x", context: "test", user: "ann" });
const known = { repeatable: true, known: true };

describe("the pause before a request is sent again", () => {
  test("doubles, to five seconds; of each a half at least", () => {
    const pauses = (random: () => number) =>
      [0, 1, 2, 3, 4, 5, 20].map((attempt) => pauseBefore(failure("ECONNRESET"), attempt, known, random));
    expect(pauses(() => 0)).toEqual([100, 200, 400, 800, 1600, 2500, 2500]);
    expect(pauses(() => 1)).toEqual([200, 400, 800, 1600, 3200, 5000, 5000]);
  });

  test("is what the server asks for, within bounds", () => {
    const asked = (seconds: number) => pauseBefore(refusal(503, seconds), 0, { repeatable: false, known: true });
    expect([0, 2, 86_400].map(asked)).toEqual([100, 2000, 10_000]);
  });

  const passes = (error: Error, sent: object = {}) => pauseBefore(error, 0, { ...known, ...sent }) !== undefined;

  test.each(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ERR_PROXY_TUNNEL"])(
    "%s: nothing was sent, whatever it was",
    (code) => {
      expect(passes(failure(code), { repeatable: false })).toBe(true);
      expect(passes(failure(code), { known: false })).toBe(false);
    },
  );

  test.each(["ECONNRESET", "EPIPE", "ETIMEDOUT"])("%s: only what may be sent twice", (code) => {
    expect(passes(failure(code))).toBe(true);
    expect(passes(failure(code), { repeatable: false })).toBe(false);
  });

  test.each([502, 503, 504])("%d: only what may be sent twice", (code) => {
    expect(passes(refusal(code))).toBe(true);
    expect(passes(refusal(code), { repeatable: false })).toBe(false);
  });

  test("of a server that never answered: three times, where somebody ended the connection or says that it is away", () => {
    const unknown = { repeatable: true, known: false };
    for (const error of [failure("ECONNRESET"), failure("EPIPE"), refusal(502), refusal(503), refusal(504)]) {
      const tries = [0, 1, 2, 3, 4].map((attempt) => pauseBefore(error, attempt, unknown) !== undefined);
      expect(tries).toEqual([true, true, true, false, false]);
      expect(pauseBefore(error, 0, { ...unknown, repeatable: false })).toBeUndefined();
    }
    expect(pauseBefore(failure("ETIMEDOUT"), 0, unknown)).toBeUndefined();
  });

  test("whoever is told to come back may", () => {
    expect(passes(refusal(429), { repeatable: false, known: false })).toBe(true);
    expect(passes(refusal(503, 1), { repeatable: false, known: false })).toBe(true);
  });

  test.each([
    refusal(400),
    refusal(401),
    refusal(403),
    refusal(404),
    refusal(409),
    refusal(500),
    failure("CERT_HAS_EXPIRED"),
    failure("DEPTH_ZERO_SELF_SIGNED_CERT"),
    new Error("a defect"),
  ])("there is none of what stays: %s", (error) => {
    expect(passes(error)).toBe(false);
  });
});

test("what may have done its work: what was cut off, and what somebody between has lost", () => {
  const arrived = [failure("ECONNRESET"), failure("ETIMEDOUT"), refusal(502), refusal(503), refusal(504)];
  const not = [failure("ECONNREFUSED"), failure("ERR_PROXY_TUNNEL"), refusal(429), refusal(503, 1), refusal(409)];
  expect(arrived.filter((each) => !mayHaveArrived(each))).toEqual([]);
  expect(not.filter(mayHaveArrived)).toEqual([]);
});
