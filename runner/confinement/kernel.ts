import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { isRecord, parseJson, strings } from "../images/image-config.ts";

/** What to do when the kernel lacks rules of isolation: refuse to run chaincode, or run it with the rules that there are. */
export const isolations = ["required", "best-effort"] as const;
export type Isolation = (typeof isolations)[number];

/** The kernel's rules of isolation (runner/confine/check.go). */
export interface Kernel {
  /** Landlock's ABI version; 0 without Landlock. */
  readonly landlock: number;
  readonly seccomp: boolean;
  /** Sentences about things that the kernel would not deny. */
  readonly missing: readonly string[];
}

/** Asks the kernel through `confine check`. Throws when that cannot be run. */
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
