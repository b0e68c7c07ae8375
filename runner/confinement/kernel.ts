import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { isRecord, parseJson, strings } from "../images/image-config.ts";

/** Whether chaincode is refused where the kernel cannot deny all that it should, or run with what there is. */
export const isolations = ["required", "best-effort"] as const;
export type Isolation = (typeof isolations)[number];

/** Which rules the kernel has (runner/confine/check.go). */
export interface Kernel {
  /** ABI; 0 without. */
  readonly landlock: number;
  readonly seccomp: boolean;
  /** Sentences: what nothing would deny. */
  readonly missing: readonly string[];
}

/** Asks the kernel, by the program that will confine. Throws when that cannot be run. */
export async function readKernel(confine: string): Promise<Kernel> {
  const { stdout } = await promisify(execFile)(confine, ["check"], { timeout: 10_000 });
  const said = parseJson(stdout);
  if (!isRecord(said)) throw new Error(`expected JSON of ${confine} check, found ${stdout.slice(0, 80)}`);
  return {
    landlock: Number(said["landlock"]),
    seccomp: said["seccomp"] === true,
    missing: strings(said["missing"]),
  };
}

/** Throws, with every reason, when isolation is required and the kernel has not all of it. */
export function checkIsolation({ missing }: Kernel, isolation: Isolation): void {
  if (isolation === "best-effort" || missing.length === 0) return;
  throw new Error(
    `expected a kernel that can confine chaincode (Linux 6.12 or newer with Landlock), found one where ${missing.join("; ")}. ` +
      `An operator who accepts that says --isolation best-effort`,
  );
}
