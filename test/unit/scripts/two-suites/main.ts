// What test/vitest-run.ts makes of two suites, the second of which fails.
import { join } from "node:path";
import { runSideBySide } from "../../../vitest-run.ts";

const args = ["--config", join(import.meta.dirname, "vitest.config.ts")];
const suites = ["first", "second"].map((project) => [{ project, args }]);
process.exitCode = await runSideBySide(suites, process.env, new AbortController().signal);
