// Measurements on this machine: `npm run bench -- [NAME...] [FLAGS of the measurement]`, all of them without a name. Nothing is
// asserted.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const benches = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".ts") && file !== "main.ts")
  .map((file) => file.slice(0, -".ts".length));
const given = process.argv.slice(2);
const firstFlag = given.findIndex((word) => word.startsWith("-"));
const asked = firstFlag < 0 ? given : given.slice(0, firstFlag);
const flags = given.slice(asked.length);
const unknown = asked.find((name) => !benches.includes(name));
if (unknown !== undefined) {
  console.error(`error: expected one of ${benches.join(", ")}, found ${unknown}`);
  process.exit(2);
}
for (const name of asked.length > 0 ? asked : benches) {
  console.error(`\n## ${name}`);
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.ts`), ...flags], {
    stdio: "inherit",
  });
  process.exitCode ||= status ?? 1;
}
