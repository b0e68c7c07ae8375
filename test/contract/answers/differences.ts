import type { Json } from "./json.ts";

/** Where the emulator is known to answer otherwise than the recorded node, and why that stays. */
export interface Difference {
  /** Of the recording, such as "channel/cscc/lists-the-channels-of-a-peer". */
  readonly recording: string;
  /** Members and indices that lead to the value: "0/answer/message". */
  readonly at: string;
  readonly because: string;
}

const builtInTwoSteps =
  "a peer streams into the build of an image what a container compiles meanwhile, whose output it reads by attach " +
  "(core/chaincode/platforms/util/utils.go); the emulator compiles first, and reads the log when that has failed";

export const differences: readonly Difference[] = ["chaincode-in-docker", "chaincode-in-the-runner"].map((area) => ({
  recording: `docker/${area}/is-built-at-installation-under-an-image-name-of-the-peer-s-own`,
  at: "1/answer",
  because: builtInTwoSteps,
}));

/** The recording with the emulator's own answers where they are known to differ. Throws where they no longer do. */
export function allowing(allowed: readonly Difference[], recorded: Json, answered: Json): Json {
  return allowed.reduce((rest, { recording, at }) => {
    const path = at.split("/");
    const own = valueAt(answered, path);
    if (JSON.stringify(valueAt(rest, path)) === JSON.stringify(own)) {
      throw new Error(`expected ${recording} to differ at ${at}, found that it does no longer: remove the difference`);
    }
    return replaced(rest, path, own);
  }, recorded);
}

function valueAt(value: Json | undefined, [first, ...rest]: readonly string[]): Json | undefined {
  if (first === undefined || value === undefined) return value;
  return valueAt((value as Readonly<Record<string, Json>> | null)?.[first], rest);
}

function replaced(value: Json, [first, ...rest]: readonly string[], by: Json | undefined): Json {
  if (first === undefined) return by ?? null;
  const inner = valueAt(value, [first]) ?? {};
  if (Array.isArray(value)) {
    return (value as readonly Json[]).map((one, index) => (index === Number(first) ? replaced(one, rest, by) : one));
  }
  const { [first]: _, ...others } = value as Readonly<Record<string, Json>>;
  return rest.length === 0 && by === undefined ? others : { ...others, [first]: replaced(inner, rest, by) };
}
