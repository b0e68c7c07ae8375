import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "asset-transfer");

/** Before any test, so that files which run side by side do not install it for each other: what the sample chaincode needs. */
export function setup(): void {
  // npm writes this file last.
  if (modified("node_modules/.package-lock.json") >= modified("package-lock.json")) return;
  execFileSync("npm", ["ci", "--silent"], { cwd: folder, stdio: "inherit" });
}

function modified(name: string): number {
  return statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
