import { execFileSync } from "node:child_process";
import { globSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "asset-transfer");

/** Half of the files, and of the bytes, are for people and compilers; every build of the chaincode would copy them several times. */
const unread = ["**/*.{ts,mts,map,md,html,yml,jst}", "**/{.nyc_output,coverage,docs,test}"];

/** Before any test, so that files which run side by side do not install it for each other: what the sample chaincode needs. */
export function setup(): void {
  // npm writes this file last.
  if (modified("node_modules/.package-lock.json") >= modified("package-lock.json")) return;
  execFileSync("npm", ["ci", "--silent"], { cwd: folder, stdio: "inherit" });
  for (const path of globSync(unread, { cwd: join(folder, "node_modules") }))
    rmSync(join(folder, "node_modules", path), { recursive: true, force: true });
}

function modified(name: string): number {
  return statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
